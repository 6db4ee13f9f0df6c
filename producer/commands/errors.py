"""The command `errors`."""

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("job")
@as_json_option
def errors(job: str, as_json: bool) -> None:
    """List every failed file of JOB with its reason.

    \b
    Example: python -m producer errors 20260131-142501-9f3a
    """
    from producer.ingest.outcome import failures_table
    from producer.jobs.view import job_status
    from producer.stack import attached
    from settings import load_settings
    from tasks.broker import redis_client
    from tasks.ledger import Ledger

    settings = load_settings()
    with attached(settings):
        client = redis_client(settings)
        job_status(client, job)
        failures = Ledger(client, job).failures()
    if as_json:
        rows = [{"uri": failure.uri, "stage": failure.stage, "reason": failure.reason} for failure in failures]
        print_json({"job": job, "errors": rows})
        return
    STDOUT.print(failures_table(failures) if failures else f"No file of job {job} failed.")
