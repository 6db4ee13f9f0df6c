"""`python -m benchmarks [NAME ...]`: measure, print a table, write benchmarks/results.json."""

import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path

import click
from rich.console import Console

from benchmarks import results
from benchmarks.harness import Figure
from benchmarks.registry import BENCHMARKS, LARGE, find
from settings.errors import DarkroomError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--quick", is_flag=True, help="A smoke run in seconds: small numbers, nothing is written.")
@click.option("--table", "only_table", is_flag=True, help="Run nothing: print results.json as Markdown tables.")
@click.option(
    "--images",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take the JPEGs of this folder (they are copied) in the place of pictures made on the spot.",
)
def main(names: tuple[str, ...], quick: bool, only_table: bool, images: Path | None) -> None:
    """Run the benchmarks of these names, one after the other; by default all but the large ones (edge_700k).

    \b
    Example: python -m benchmarks null_files_per_s search_p50_ms
    """
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        raise click.UsageError(f"There is no benchmark {unknown[0]!r}; there are {', '.join(BENCHMARKS)}.")
    if only_table:
        click.echo(results.markdown(results.read()))
        return
    if images is not None:
        os.environ["DARKROOM_BENCH_IMAGES"] = str(images.resolve())
    # Ended politely, so that every benchmark takes down what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    console = Console()
    done: list[Figure] = []
    failed = []
    for name in names or [name for name in BENCHMARKS if name not in LARGE]:
        console.print(f"{name} …", style="dim")
        try:
            with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as scratch:
                figures = find(name)(Path(scratch), quick)
        except DarkroomError as error:
            click.echo(f"error: {error}", err=True)
            failed.append(name)
            continue
        except Exception:
            # One that cannot run here (a peer that is not installed, say) must not cost the figures of the others.
            traceback.print_exc()
            failed.append(name)
            continue
        done += figures
        if not quick:
            results.update(figures)
    console.print(results.table({figure.name: figure.as_json() for figure in done}))
    if failed:
        click.echo(f"error: no figure from {', '.join(failed)}: see above.", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main(prog_name="python -m benchmarks")
