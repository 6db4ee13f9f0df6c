"""The command line of the producer."""

import json
import os
from pathlib import Path
from typing import Any

import click
from rich.console import Console

STDOUT, STDERR = Console(), Console(stderr=True)
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--settings", "settings_file", type=click.Path(dir_okay=False), help="Settings file (default: settings.toml)."
)
def cli(settings_file: str | None) -> None:
    """Turn a folder of pictures into a searchable Qdrant collection."""
    if settings_file is not None:
        # By the environment, so that workers which this command starts read the same file.
        os.environ["DARKROOM_SETTINGS"] = os.path.abspath(settings_file)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path))
@as_json_option
def ingest(directory: Path, as_json: bool) -> None:
    """Embed, caption and store every picture below DIRECTORY that the collection does not hold yet.

    \b
    Example: python -m producer ingest ~/Pictures
    Exit code: 0 all good, 1 some files failed, 2 wrong use, 3 a service is missing, 130 interrupted.
    """
    from producer.ingest import Outcome
    from producer.ingest import ingest as run
    from producer.summary import as_json as to_object
    from producer.summary import print_summary
    from settings import load_settings

    def report(outcome: Outcome) -> None:
        print_summary(outcome, STDERR if as_json else STDOUT)
        if as_json:
            _print_json(to_object(outcome))

    raise SystemExit(run(directory, load_settings(), STDERR, report).exit_code)


@cli.command()
@click.argument("text")
@click.option("-n", "--limit", default=10, show_default=True, type=click.IntRange(1, 1000), help="How many results.")
@as_json_option
def search(text: str, limit: int, as_json: bool) -> None:
    """Find the pictures that look most like TEXT.

    \b
    Example: python -m producer search "a dog on a beach" -n 5
    """
    from producer.search import print_results
    from producer.search import search as run
    from settings import load_settings

    def report(results: list[dict[str, Any]]) -> None:
        if as_json:
            _print_json({"query": text, "results": results})
        else:
            print_results(results, STDOUT)

    run(text, limit, load_settings(), report)


@cli.command()
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
        _print_json(found)
    elif job is not None:
        print_job(found, STDOUT)
    else:
        print_overview(found, STDOUT)


@cli.command()
@click.argument("job")
@as_json_option
def errors(job: str, as_json: bool) -> None:
    """List every failed file of JOB with its reason.

    \b
    Example: python -m producer errors 20260131-142501-9f3a
    """
    from producer.stack import attached
    from producer.status import job_status
    from producer.summary import failures_table
    from settings import load_settings
    from tasks.app import redis_client
    from tasks.ledger import Ledger

    settings = load_settings()
    with attached(settings):
        client = redis_client(settings)
        job_status(client, job)
        failures = Ledger(client, job).failures()
    if as_json:
        rows = [{"uri": failure.uri, "stage": failure.stage, "reason": failure.reason} for failure in failures]
        _print_json({"job": job, "errors": rows})
        return
    STDOUT.print(failures_table(failures) if failures else f"No file of job {job} failed.")


def _print_json(found: dict[str, Any]) -> None:
    click.echo(json.dumps(found, ensure_ascii=False))
