"""The commands about jobs: `status`, `jobs`, `cancel`, `errors` and `report`."""

import click

from producer.commands.options import (
    STDERR,
    STDOUT,
    as_json_option,
    paths_option,
    print0_option,
    print_json,
    print_line,
    print_note,
    print_paths,
    require_one_form,
)


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
    from producer.jobs.tables import print_jobs

    with Darkroom(console=STDERR) as darkroom:
        latest = darkroom.jobs(limit)
    if as_json:
        print_json({"jobs": latest.to_dicts()})
    else:
        print_jobs(latest, STDOUT)
        if not latest:
            print_note("No jobs yet.")


@click.command()
@click.argument("job")
@as_json_option
def cancel(job: str, as_json: bool) -> None:
    """Stop JOB, wherever it runs, as Ctrl-C does there: files in flight are finished, no more are enqueued.

    \b
    Example: python -m producer cancel 20260131-142501-9f3a01bc
    """
    from producer.client import Darkroom

    with Darkroom(console=STDERR) as darkroom:
        darkroom.cancel(job)
    if as_json:
        print_json({"cancelled": job})
    else:
        print_line(f"Job {job} was told to stop.")


@click.command()
@click.argument("job", required=False)
@paths_option
@print0_option
@as_json_option
def errors(job: str | None, paths: bool, zero: bool, as_json: bool) -> None:
    """List every failed or still broken file of JOB with its reason; without JOB, of the latest job.

    \b
    Example: python -m producer errors
             python -m producer errors 20260131-142501-9f3a01bc --paths
    """
    require_one_form(paths or zero, as_json)
    from producer.client import Darkroom
    from producer.formatting import counted
    from producer.jobs.tables import print_failures

    with Darkroom(console=STDERR) as darkroom:
        job = job or darkroom.latest_job()
        failures = darkroom.errors(job)
    if as_json:
        print_json({"job": job, "errors": failures.to_dicts()})
        return
    if paths or zero:
        # Of a failure without a name nobody knows the path.
        print_paths((failure.uri for failure in failures if "://" in failure.uri), zero)
    else:
        print_failures(failures, STDOUT)
    found = f"{counted(len(failures), 'file')} of job {job} failed." if failures else f"No file of job {job} failed."
    print_note(found, paths or zero)


@click.command()
@click.argument("job", required=False)
@click.option("--csv", "target", metavar="FILE", help="Write a row a file to FILE, - for the standard output.")
@as_json_option
def report(job: str | None, target: str | None, as_json: bool) -> None:
    """Tell what became of every file of JOB: stored, reused, skipped (unchanged), still_broken, failed or unfinished.

    Without JOB it is the latest job.

    \b
    The CSV has the columns uri, outcome, reason and caption.
    Example: python -m producer report
             python -m producer report 20260131-142501-9f3a01bc --csv report.csv
    """
    if as_json and target == "-":
        raise click.UsageError("--json and --csv - both write to the standard output: name a file for the CSV.")
    from producer.client import Darkroom
    from producer.jobs.tables import print_report

    with Darkroom(console=STDERR) as darkroom:
        job = job or darkroom.latest_job()
        sums = darkroom.report(job, target)
    if as_json:
        print_json({**sums.to_dict(), "csv": target})
        return
    print_report(sums, STDERR if target == "-" else STDOUT, in_words=STDOUT.is_terminal or target == "-")
    if target is None:
        print_note(f"A row a file: --csv FILE or --csv - after report {job}.", style="dim")
    elif target != "-":
        print_note(f"Written to {target}.")
