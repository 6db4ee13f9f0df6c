"""The commands that work on pictures: `ingest`, `retry` and `watch`."""

from pathlib import Path
from typing import Any

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_line


@click.command()
@click.argument("directory")
@click.option("--rebuild", is_flag=True, help="Make a collection of another CLIP model anew; its points are removed.")
@as_json_option
def ingest(directory: str, rebuild: bool, as_json: bool) -> None:
    """Embed, caption and store every picture below DIRECTORY that the collection does not hold yet.

    DIRECTORY may also be a .zip file, a bucket (s3://, gs://), or one picture or .zip file on a web server.

    \b
    Example: python -m producer ingest ~/Pictures
             python -m producer ingest s3://bucket/pictures
    Exit code: 0 all good, 1 some files failed, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.client import Darkroom
    from producer.ingest.outcome import print_summary

    with Darkroom(console=STDERR) as darkroom:
        outcome = darkroom.ingest(directory, rebuild)
        print_summary(outcome, STDERR if as_json else STDOUT)
        if as_json:
            print_json(outcome.to_dict())
    raise SystemExit(outcome.exit_code)


@click.command()
@click.argument("job")
@as_json_option
def retry(job: str, as_json: bool) -> None:
    """Try the failed files of JOB again, as a new job.

    \b
    Example: python -m producer retry 20260131-142501-9f3a01bc
    Exit code: 0 all good, 1 some failed again, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.client import Darkroom
    from producer.ingest.outcome import print_summary

    with Darkroom(console=STDERR) as darkroom:
        outcome = darkroom.retry(job)
        if outcome is not None:
            print_summary(outcome, STDERR if as_json else STDOUT)
        elif not as_json:
            print_line(f"No file of job {job} failed: there is nothing to try again.")
        if as_json:
            print_json({"retried": job, **(outcome.to_dict() if outcome else {"job": None, "total": 0})})
    raise SystemExit(outcome.exit_code if outcome else 0)


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
@click.option("--poll", is_flag=True, help="Look at the files every few seconds; network drives are polled anyway.")
@click.option(
    "--settle",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.1, 3600),
    help="Seconds that a file must have been at rest, so that none is read while it is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each batch of changes.")
def watch(directory: Path, poll: bool, settle: float, as_json: bool) -> None:
    """Keep the collection true to DIRECTORY: new, changed, renamed and deleted pictures, until Ctrl-C.

    \b
    It first catches up with what has changed while nobody watched.
    Example: python -m producer watch ~/Pictures
    """
    from producer.client import Darkroom
    from producer.collection.watching.watch import lines_of

    def tell(change: dict[str, Any]) -> None:
        if as_json:
            print_json(change)
            return
        for line in lines_of(change):
            print_line(line)

    with Darkroom(console=STDERR) as darkroom:
        darkroom.watch(directory, tell, poll=poll, settle=settle)
