"""`python -m benchmarks [NAME ...]`: measure, hold to floors and counts, print a table, write results.json."""

import os
import signal
import sys
import tempfile
import traceback
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console

from benchmarks.figures import machine, results
from benchmarks.figures.bounds import WrongCount
from benchmarks.harness import Figure
from benchmarks.registry import BENCHMARKS, LARGE, SHORT, find
from settings.errors import DarkroomError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="A smoke run in seconds: small numbers, nothing is written.")
@click.option(
    "--check", is_flag=True, help="Measure in full and write nothing; without a name a short list, in minutes."
)
@click.option("--isa", type=click.Choice(["avx2"]), help="Hold torch down to AVX2; the figures get names of their own.")
@click.option(
    "--shares", "only_shares", is_flag=True, help="Run nothing: print the shares of the bare loop and device."
)
@click.option("--table", "only_table", is_flag=True, help="Run nothing: print results.json as Markdown tables.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the JPEGs of this folder (they are copied) in the place of pictures made on the spot.",
)
@click.option(
    "--release",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The checkout of another release, for null_vs_release.",
)
def main(
    names: tuple[str, ...],
    quick: bool,
    check: bool,
    isa: str | None,
    only_shares: bool,
    only_table: bool,
    images: Path | None,
    release: Path | None,
) -> None:
    """Run the benchmarks of these names, one after the other; by default all but the large ones
    (edge_700k, edge_million, null_vs_release).

    The exit code is 1 where a figure is worse than its floor, where a count is not exact, or where there is no figure.

    \b
    Example: python -m benchmarks null_files_per_s search_p50_ms
    """
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise click.UsageError(f"There is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}.")
    if only_table:
        click.echo(results.markdown(results.read()))
        return
    if only_shares:
        click.echo(results.shares_markdown(results.read()))
        return
    if isa:
        machine.hold_down_to_avx2()
    if images is not None:
        os.environ["DARKROOM_BENCH_IMAGES"] = str(images.resolve())
    if release is not None:
        os.environ["DARKROOM_BENCH_RELEASE"] = str(release.resolve())
    # Ended politely, so that every benchmark takes down what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    default = SHORT if check else [name for name in BENCHMARKS if name not in LARGE]
    done: list[Figure] = []
    complaints = []
    for name in names or default:
        console.print(f"{name} …", style="dim")
        try:
            with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as scratch:
                figures = find(name)(Path(scratch), quick)
        except WrongCount as error:
            complaints.append(f"{name} lost count: {error}.")
            continue
        except DarkroomError as error:
            complaints.append(f"{name} gave no figure: {error}")
            continue
        except Exception:  # one that cannot run here (a peer that is not installed, say) costs no figures of others
            traceback.print_exc()
            complaints.append(f"{name} gave no figure: see above.")
            continue
        if isa:
            figures = [replace(figure, name=figure.name + machine.AVX2_SUFFIX) for figure in figures]
        done += figures
        # The numbers of a smoke run are too small to say anything about speed.
        complaints += [] if quick else [figure.complaint for figure in figures if figure.complaint]
        if not quick and not check:
            results.update(figures)
    console.print(results.table({figure.name: figure.as_json() for figure in done}))
    for figure in done:
        if figure.note:
            click.echo(f"{figure.name}: {figure.note}.")
    for complaint in complaints:
        click.echo(f"error: {complaint}", err=True)
    if complaints:
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
