"""The command `ingest`."""

import click

from producer.commands.output import STDERR, STDOUT, as_json_option, print_json


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
    from producer.ingest.outcome import Outcome, print_summary
    from producer.ingest.outcome import as_json as to_object
    from producer.ingest.start import ingest as run
    from settings import load_settings

    def report(outcome: Outcome) -> None:
        print_summary(outcome, STDERR if as_json else STDOUT)
        if as_json:
            print_json(to_object(outcome))

    raise SystemExit(run(directory, load_settings(), STDERR, report, rebuild).exit_code)
