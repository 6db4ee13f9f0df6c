"""benchmarks/results.json: the latest value of every figure, the facts behind it, and the tables made from it."""

import datetime
import json
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.harness import Figure

RESULTS = Path(__file__).resolve().parent / "results.json"
DETAILS = "details"
# Figures whose table is drawn as well: the columns of the labels, and the one of the numbers.
PLOTTED: dict[str, tuple[list[int], int]] = {"search_p50_ms": ([0, 1], 2), "scaleout_8": ([0, 1], 2)}
BAR_LETTERS = 60
COLUMNS = ("figure", "value", "lowest to highest", "goal", "reached", "ours / baseline")


def read(path: Path = RESULTS) -> dict[str, dict[str, Any]]:
    """Figure name -> its facts, as the last run of each left them; empty where there is no file."""
    try:
        found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))[DETAILS]
    except FileNotFoundError:
        return {}
    return found


def update(figures: Iterable[Figure], path: Path = RESULTS) -> None:
    """Write these figures into the file, with the day and the machine; the others stay as they are."""
    results = read(path)
    taken = {"day": datetime.date.today().isoformat(), "machine": machine()}
    results |= {figure.name: figure.as_json() | taken for figure in figures}
    values = {name: facts["value"] for name, facts in results.items()}
    path.write_text(json.dumps(values | {DETAILS: results}, indent=2) + "\n", encoding="utf-8")


def machine() -> str:
    """What the figures were taken on: cores, architecture, system, Python."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


def row(name: str, facts: dict[str, Any]) -> tuple[str, ...]:
    """One figure as the cells of COLUMNS."""
    unit = facts["unit"]
    rates = f"{_shown(facts['ours'])} / {_shown(facts['baseline'])} {facts['rate_unit']}" if "ours" in facts else ""
    reached = {True: "yes", False: "no"}.get(facts.get("reached", ""), "")
    span = f"{_shown(facts['low'])} to {_shown(facts['high'])}"
    return name, f"{_shown(facts['value'])} {unit}", span, facts.get("goal", ""), reached, rates


def table(results: dict[str, dict[str, Any]]) -> Table:
    """The figures for a terminal."""
    shown = Table(*COLUMNS, box=None, pad_edge=False, header_style="bold")
    for name, facts in results.items():
        shown.add_row(*row(name, facts))
    return shown


def markdown(results: dict[str, dict[str, Any]]) -> str:
    """The figures for the docs, with the tables of those that carry `detail["table"]`: a list of rows, titles first."""
    lines = _markdown_table([list(COLUMNS), *(list(row(name, facts)) for name, facts in results.items())])
    for name, facts in results.items():
        rows = facts.get("detail", {}).get("table")
        if rows:
            lines += ["", f"`{name}`:", "", *_markdown_table(rows)]
        if rows and name in PLOTTED:
            lines += ["", *_bars(rows[1:], *PLOTTED[name])]
    return "\n".join(lines)


def _markdown_table(rows: list[list[Any]]) -> list[str]:
    cells = ["| " + " | ".join(str(cell) for cell in line) + " |" for line in rows]
    return [cells[0], "|" + "---|" * len(rows[0]), *cells[1:]]


def _shown(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _bars(rows: list[list[Any]], labels: list[int], column: int) -> list[str]:
    names = [", ".join(str(row[label]) for label in labels) for row in rows]
    numbers = [float(row[column]) for row in rows]
    wide = max(map(len, names))
    return [
        f"    {name:<{wide}}  {'█' * max(1, round(BAR_LETTERS * number / max(numbers)))} {number:g}"
        for name, number in zip(names, numbers, strict=True)
    ]
