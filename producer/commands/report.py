"""The command `report`."""

from typing import Any

import click

from producer.commands.output import STDERR, STDOUT, as_json_option, print_json


@click.command()
@click.argument("job")
@click.option("--csv", "target", metavar="FILE", help="Write a row a file to FILE, - for the standard output.")
@as_json_option
def report(job: str, target: str | None, as_json: bool) -> None:
    """Tell what became of every file of JOB: stored, reused, skipped (unchanged), failed or unfinished.

    \b
    The CSV has the columns uri, outcome, reason and caption.
    Example: python -m producer report 20260131-142501-9f3a --csv report.csv
    """
    from rich.table import Table
    from rich.text import Text

    from producer.jobs.report import report as run
    from settings import load_settings
    from settings.errors import WrongUse

    if as_json and target == "-":
        raise WrongUse("--json and --csv - both write to the standard output: name a file for the CSV.")

    def tell(found: dict[str, Any]) -> None:
        if as_json:
            print_json({**found, "csv": target})
            return
        console = STDERR if target == "-" else STDOUT
        parts = [f"{count:,} {outcome}" for outcome, count in found["outcomes"].items()]
        console.print(Text(f"{found['files']:,} files: {', '.join(parts) or 'none'}."), soft_wrap=True)
        if found["reasons"]:
            table = Table("files", "reason", box=None, pad_edge=False, header_style="bold")
            for reason, count in found["reasons"].items():
                table.add_row(f"{count:,}", Text(reason, overflow="fold"))
            console.print(table)
        if target is None:
            console.print(Text(f"A row a file: --csv FILE or --csv - after report {job}."), style="dim")
        elif target != "-":
            console.print(Text(f"Written to {target}."), soft_wrap=True)

    run(job, target, load_settings(), tell)
