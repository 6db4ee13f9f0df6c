"""The command `status`."""

import click

from producer.commands.output import STDOUT, as_json_option, print_json


@click.command()
@click.argument("job", required=False)
@click.option("--watch", "watched", is_flag=True, help="Draw it anew until q or Ctrl-C; one JOB ends by itself.")
@click.option(
    "--interval", default=1.0, show_default=True, type=click.FloatRange(0.1, 3600), help="Seconds, to --watch."
)
@as_json_option
def status(job: str | None, watched: bool, interval: float, as_json: bool) -> None:
    """Show how JOB is; without it, the collection, the queues and the latest jobs.

    With --watch it is the terminal's dashboard; --json then prints one object a line.

    \b
    Example: python -m producer status
    Example: python -m producer status --watch
    """
    from producer.jobs.tables import print_job, print_overview
    from producer.jobs.view import job_status, overview
    from producer.stack import attached
    from producer.waiting import collection_facts
    from settings import load_settings
    from tasks.broker import redis_client

    settings = load_settings()
    with attached(settings) as stack:
        client = redis_client(settings)
        if watched:
            from producer.jobs.dashboard import stream, watch
            from producer.jobs.view import JobView
            from tasks.app import app

            view = JobView(client, app, job)
            if as_json:
                stream(view, print_json, interval, job is not None)
            else:
                watch(view, STDOUT, interval, job is not None)
            return
        found = job_status(client, job) if job is not None else overview(client, collection_facts(stack))
    if as_json:
        print_json(found)
    elif job is not None:
        print_job(found, STDOUT)
    else:
        print_overview(found, STDOUT)
