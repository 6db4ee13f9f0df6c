"""The command `retry`."""

import click

from producer.commands.output import STDERR, STDOUT, as_json_option, print_json


@click.command()
@click.argument("job")
@as_json_option
def retry(job: str, as_json: bool) -> None:
    """Try the failed files of JOB again, as a new job.

    \b
    Example: python -m producer retry 20260131-142501-9f3a
    Exit code: 0 all good, 1 some failed again, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.ingest.outcome import Outcome, print_summary
    from producer.ingest.outcome import as_json as to_object
    from producer.ingest.start import retry as run
    from settings import load_settings

    def report(outcome: Outcome | None) -> None:
        if outcome is not None:
            print_summary(outcome, STDERR if as_json else STDOUT)
        elif not as_json:
            STDOUT.print(f"No file of job {job} failed: there is nothing to try again.", soft_wrap=True)
        if as_json:
            print_json({"retried": job, **(to_object(outcome) if outcome else {"job": None, "total": 0})})

    raise SystemExit(run(job, load_settings(), STDERR, report))
