"""benchmarks/results.json: the latest value of every figure, the facts behind it, and the tables made from it."""

import datetime
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.figures.machine import machine
from benchmarks.figures.shares import shares
from benchmarks.harness import Figure

RESULTS = Path(__file__).resolve().parent.parent / "results.json"
DETAILS = "details"
# Figures whose table is drawn as well: the columns of the labels, and the one of the numbers.
PLOTTED: dict[str, tuple[list[int], int]] = {"search_p50_ms": ([0, 1], 2), "scaleout_8": ([0, 1], 2)}
BAR_LETTERS = 60
COLUMNS = ("figure", "value", "lowest to highest", "goal", "reached", "floor", "ours / baseline", "precision", "note")
# In the docs each figure names its machine by a letter; the list of them follows the table.
ON = "on"


def read(path: Path | None = None) -> dict[str, dict[str, Any]]:
    """Figure name -> its facts, as the last run of each left them; empty where there is no file."""
    try:
        found: dict[str, dict[str, Any]] = json.loads((path or RESULTS).read_text(encoding="utf-8"))[DETAILS]
    except FileNotFoundError:
        return {}
    return found


def update(figures: Iterable[Figure], path: Path | None = None) -> None:
    """Write these figures into the file, with the day and the machine; the others stay as they are."""
    path = path or RESULTS
    results = read(path)
    taken = {"day": datetime.date.today().isoformat(), "machine": machine()}
    results |= {figure.name: figure.as_json() | taken for figure in figures}
    values = {name: facts["value"] for name, facts in results.items()}
    path.write_text(json.dumps(values | {DETAILS: results}, indent=2) + "\n", encoding="utf-8")


def row(name: str, facts: dict[str, Any]) -> tuple[str, ...]:
    """One figure as the cells of COLUMNS."""
    unit = facts["unit"]
    rates = f"{_shown(facts['ours'])} / {_shown(facts['baseline'])} {facts['rate_unit']}" if "ours" in facts else ""
    reached = {True: "yes", False: "no"}.get(facts.get("reached", ""), "")
    span = f"{_shown(facts['low'])} to {_shown(facts['high'])}"
    bounds = facts.get("goal", ""), reached, facts.get("floor", "")
    told = rates, facts.get("precisions", ""), facts.get("note", "")
    return name, f"{_shown(facts['value'])} {unit}", span, *bounds, *told


def table(results: dict[str, dict[str, Any]]) -> Table:
    """The figures for a terminal, without the columns in which none has anything, and without the notes."""
    rows = [row(name, facts)[:-1] for name, facts in results.items()]
    kept = [place for place in range(len(COLUMNS) - 1) if place < 2 or any(cells[place] for cells in rows)]
    shown = Table(*(COLUMNS[place] for place in kept), box=None, pad_edge=False, header_style="bold")
    for cells in rows:
        shown.add_row(*(cells[place] for place in kept))
    return shown


def markdown(results: dict[str, dict[str, Any]]) -> str:
    """The figures for the docs, with the tables of those that carry `detail["table"]`: a list of rows, titles first."""
    machines = list(dict.fromkeys(facts.get("machine", "not noted") for facts in results.values()))
    letters = {name: chr(ord("A") + number) for number, name in enumerate(machines)}
    rows = [[*COLUMNS[:-1], ON, COLUMNS[-1]]]
    for name, facts in results.items():
        *cells, note = row(name, facts)
        rows.append([*cells, letters[facts.get("machine", "not noted")], note])
    lines = [*_markdown_table(rows), "", *(f"- {letter}: {name}" for name, letter in letters.items())]
    found = shares(results)
    lines += ["", *_markdown_table(found)] if len(found) > 1 else []
    for name, facts in results.items():
        rows = facts.get("detail", {}).get("table")
        if rows:
            lines += ["", f"`{name}`:", "", *_markdown_table(rows)]
        if rows and name in PLOTTED:
            lines += ["", *_bars(rows[1:], *PLOTTED[name])]
    return "\n".join(lines)


def shares_markdown(results: dict[str, dict[str, Any]]) -> str:
    """The table of the shares alone; a sentence where none was measured yet."""
    found = shares(results)
    if len(found) == 1:
        return "No share was measured yet: run `python -m benchmarks efficiency_clip efficiency_caption`."
    return "\n".join(_markdown_table(found))


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
