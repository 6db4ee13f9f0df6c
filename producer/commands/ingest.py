"""The commands that work on pictures: `ingest`, `resume`, `retry` and `watch`."""

from typing import Any

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_line, print_note


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--rebuild", is_flag=True, help="Make a collection of another CLIP model anew; its points are removed.")
@click.option(
    "--captions",
    type=click.Choice(["now", "later", "never"]),
    help="Later: embed all pictures first, so that they are found soon, and write the captions behind them. By default "
    "as ingest.captions says: later where the models run on CPUs.",
)
@as_json_option
def ingest(sources: tuple[str, ...], rebuild: bool, captions: str | None, as_json: bool) -> None:
    """Embed, caption and store every picture of SOURCE that the collection does not hold yet; several are one job.

    SOURCE is a folder, a picture, a .zip file, a bucket (s3://, gs://), one picture or .zip file on a web server, or a
    pattern in quotes.

    \b
    Example: python -m producer ingest ~/Pictures
             python -m producer ingest ~/Pictures /mnt/camera ~/Downloads/*.jpg
             python -m producer ingest s3://bucket/pictures
             python -m producer ingest ~/Pictures --captions later
    Exit code: 0 all good, 1 some files failed, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.client import Darkroom
    from producer.ingest.outcome import print_summary

    with Darkroom(console=STDERR) as darkroom:
        outcome = darkroom.ingest(*sources, rebuild=rebuild, captions=captions)
        print_summary(outcome, STDERR if as_json else STDOUT)
        if as_json:
            print_json(outcome.to_dict())
    raise SystemExit(outcome.exit_code)


@click.command()
@click.argument("job", required=False)
@as_json_option
def retry(job: str | None, as_json: bool) -> None:
    """Try the failed and still broken files of JOB again, as a new job; without JOB, those of the latest job.

    \b
    Example: python -m producer retry
             python -m producer retry 20260131-142501-9f3a01bc
    Exit code: 0 all good, 1 some failed again, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.client import Darkroom
    from producer.ingest.outcome import print_summary

    with Darkroom(console=STDERR) as darkroom:
        if job is None:
            job = darkroom.latest_job()
            print_note(f"Trying the failed files of job {job} again.", paths=as_json)
        outcome = darkroom.retry(job)
        if outcome is not None:
            print_summary(outcome, STDERR if as_json else STDOUT)
        elif not as_json:
            print_line(f"No file of job {job} failed: there is nothing to try again.")
        if as_json:
            print_json({"retried": job, **(outcome.to_dict() if outcome else {"job": None, "total": 0})})
    raise SystemExit(outcome.exit_code if outcome else 0)


@click.command()
@click.argument("job", required=False)
@as_json_option
def resume(job: str | None, as_json: bool) -> None:
    """Go on with JOB, which was interrupted or killed, as a new job; by default with the latest one.

    \b
    Example: python -m producer resume
    Exit code: 0 all good, 1 some files failed, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.client import Darkroom
    from producer.ingest.outcome import print_summary

    with Darkroom(console=STDERR) as darkroom:
        outcome = darkroom.resume(job)
        if outcome is not None:
            print_summary(outcome, STDERR if as_json else STDOUT)
        elif not as_json:
            print_line("No job was left before its end: there is nothing to go on with.")
        if as_json:
            print_json(outcome.to_dict() if outcome else {"job": None, "total": 0})
    raise SystemExit(outcome.exit_code if outcome else 0)


@click.command()
@click.argument("directory")
@click.option("--poll", is_flag=True, help="Look at the files every few seconds; network drives are polled anyway.")
@click.option(
    "--settle",
    default=2.0,
    show_default=True,
    type=click.FloatRange(0.1, 3600),
    help="Seconds that a file must have been at rest, so that none is read while it is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line for each batch of changes.")
def watch(directory: str, poll: bool, settle: float, as_json: bool) -> None:
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
