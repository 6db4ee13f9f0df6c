"""The command `jobs`."""

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many jobs.")
@as_json_option
def jobs(limit: int, as_json: bool) -> None:
    """List the jobs of the last 30 days, the newest first.

    \b
    Example: python -m producer jobs -n 5
    """
    from producer.jobs.tables import jobs_table
    from producer.jobs.view import job_status
    from producer.stack import attached
    from settings import load_settings
    from tasks.broker import redis_client
    from tasks.ledger import jobs as job_ids

    settings = load_settings()
    with attached(settings):
        client = redis_client(settings)
        found = [job_status(client, job) for job in job_ids(client, limit)]
    if as_json:
        print_json({"jobs": found})
    else:
        STDOUT.print(jobs_table(found) if found else "No jobs yet.")
