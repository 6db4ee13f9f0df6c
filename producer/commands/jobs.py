"""The commands about jobs: `status`, `jobs`, `errors` and `report`."""

import click

from producer.commands.options import STDERR, STDOUT, as_json_option, print_json, print_line


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
    from producer.client import Darkroom
    from producer.jobs.tables import print_job, print_overview

    with Darkroom(console=STDERR) as darkroom:
        if watched:
            from producer.jobs.dashboard import stream, watch

            with darkroom.view(job) as view:
                if as_json:
                    stream(view, print_json, interval, job is not None)
                else:
                    watch(view, STDOUT, interval, job is not None)
        elif job is not None:
            one_job = darkroom.job(job)
            if as_json:
                print_json(one_job.to_dict())
            else:
                print_job(one_job, STDOUT)
        else:
            everything = darkroom.status()
            if as_json:
                print_json(everything.to_dict())
            else:
                print_overview(everything, STDOUT)


@click.command()
@click.option("-n", "--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many jobs.")
@as_json_option
def jobs(limit: int, as_json: bool) -> None:
    """List the jobs of the last 30 days, the newest first.

    \b
    Example: python -m producer jobs -n 5
    """
    from producer.client import Darkroom
    from producer.jobs.tables import jobs_table

    with Darkroom(console=STDERR) as darkroom:
        latest = darkroom.jobs(limit)
    if as_json:
        print_json({"jobs": latest.to_dicts()})
    else:
        STDOUT.print(jobs_table(latest) if latest else "No jobs yet.")


@click.command()
@click.argument("job")
@as_json_option
def errors(job: str, as_json: bool) -> None:
    """List every failed file of JOB with its reason.

    \b
    Example: python -m producer errors 20260131-142501-9f3a01bc
    """
    from producer.client import Darkroom
    from producer.jobs.tables import failures_table

    with Darkroom(console=STDERR) as darkroom:
        failures = darkroom.errors(job)
    if as_json:
        print_json({"job": job, "errors": failures.to_dicts()})
    else:
        STDOUT.print(failures_table(failures) if failures else f"No file of job {job} failed.")


@click.command()
@click.argument("job")
@click.option("--csv", "target", metavar="FILE", help="Write a row a file to FILE, - for the standard output.")
@as_json_option
def report(job: str, target: str | None, as_json: bool) -> None:
    """Tell what became of every file of JOB: stored, reused, skipped (unchanged), failed or unfinished.

    \b
    The CSV has the columns uri, outcome, reason and caption.
    Example: python -m producer report 20260131-142501-9f3a01bc --csv report.csv
    """
    if as_json and target == "-":
        raise click.UsageError("--json and --csv - both write to the standard output: name a file for the CSV.")
    from producer.client import Darkroom
    from producer.jobs.tables import print_report

    with Darkroom(console=STDERR) as darkroom:
        sums = darkroom.report(job, target)
    if as_json:
        print_json({**sums.to_dict(), "csv": target})
        return
    print_report(sums, STDERR if target == "-" else STDOUT)
    if target is None:
        print_line(f"A row a file: --csv FILE or --csv - after report {job}.", style="dim")
    elif target != "-":
        print_line(f"Written to {target}.")
