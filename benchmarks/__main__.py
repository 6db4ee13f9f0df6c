"""`python -m benchmarks`: run every benchmark, print a table, write benchmarks/results.json."""

import json
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.efficiency import efficiency_clip

RESULTS = Path(__file__).resolve().parent / "results.json"


def main() -> None:
    """Run the benchmarks one after the other."""
    with tempfile.TemporaryDirectory(prefix="darkroom-bench-") as scratch:
        figures = [efficiency_clip(Path(scratch))]
    table = Table("figure", "ratio", "lowest", "highest", "ours", "baseline", "unit")
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.ratio:.2f}",
            f"{figure.low:.2f}",
            f"{figure.high:.2f}",
            f"{figure.ours:.1f}",
            f"{figure.baseline:.1f}",
            figure.unit,
        )
    Console().print(table)
    RESULTS.write_text(json.dumps({figure.name: figure.as_json() for figure in figures}, indent=2) + "\n")


if __name__ == "__main__":
    main()
