"""The command `status`."""

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("job", required=False)
@as_json_option
def status(job: str | None, as_json: bool) -> None:
    """Show how JOB is; without it, the collection, the queues and the latest jobs.

    \b
    Example: python -m producer status
    """
    from producer.patience import collection_facts
    from producer.stack import attached
    from producer.status import job_status, overview, print_job, print_overview
    from settings import load_settings
    from tasks.app import redis_client

    settings = load_settings()
    with attached(settings) as stack:
        client = redis_client(settings)
        found = job_status(client, job) if job is not None else overview(client, collection_facts(stack))
    if as_json:
        print_json(found)
    elif job is not None:
        print_job(found, STDOUT)
    else:
        print_overview(found, STDOUT)
