"""The benchmarks as a person starts them: by name, quickly, with a table and a file of results."""

import json
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.figures import results
from benchmarks.figures.bounds import at_least, at_most
from benchmarks.harness import Figure, compare, measured
from benchmarks.registry import BENCHMARKS, LARGE, find
from tests.conftest import ROOT


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=120
    )


def test_every_name_leads_to_a_function() -> None:
    assert [name for name in BENCHMARKS if not callable(find(name))] == []


def test_a_large_benchmark_is_one_of_them_and_named_in_the_help() -> None:
    assert BENCHMARKS.keys() > LARGE
    assert f"all but the large ones ({', '.join(sorted(LARGE))})" in " ".join(run("--help").stdout.split())


def test_a_smoke_run_prints_its_figure_and_leaves_the_results_alone() -> None:
    before = results.read()
    done = run("enqueue_per_s_32", "--quick")
    assert done.returncode == 0, done.stderr
    assert "enqueue_per_s_32" in done.stdout
    assert "files/s" in done.stdout
    assert results.read() == before


def test_a_cold_search_is_timed_until_its_answer_and_until_the_prompt() -> None:
    done = run("cold_search_s", "--quick")
    assert done.returncode == 0, done.stderr
    assert re.search(r"cold_search_s +[\d.]+ s .*<= 4", done.stdout)


def test_an_unknown_name_is_refused_and_the_known_ones_are_named() -> None:
    done = run("efficency_clip")
    assert done.returncode == 2
    assert "There is no benchmark 'efficency_clip'; there are" in done.stderr
    assert "null_files_per_s" in done.stderr
    assert "Traceback" not in done.stderr


def test_results_of_one_run_leave_those_of_others_in_place(tmp_path: Path) -> None:
    file = tmp_path / "results.json"
    results.update([measured("one", [3.0, 1.0, 2.0], "files/s", goal=at_least(2, floor=1))], file)
    results.update([measured("two", [51.0], "ms", goal=at_most(50, floor=60))], file)
    written = json.loads(file.read_text())
    assert (written["one"], written["two"]) == (2, 51)
    found = results.read(file)
    assert (found["one"]["value"], found["one"]["low"], found["one"]["high"]) == (2, 1, 3)
    assert (found["one"]["goal"], found["one"]["reached"]) == (">= 2", True)
    assert (found["two"]["goal"], found["two"]["reached"]) == ("<= 50", False)


def test_a_ratio_is_taken_within_each_turn_and_the_first_changes() -> None:
    order = []

    def rate(name: str, rates: list[float]) -> "list[float]":
        order.append(name)
        return rates

    ours, baseline = [20.0, 60.0, 10.0], [10.0, 20.0, 10.0]
    figure = compare(
        "ratio",
        lambda turn: rate("ours", ours)[turn],
        lambda turn: rate("baseline", baseline)[turn],
        "images/s",
        repeats=3,
        goal=at_least(1.5, floor=1),
    )
    assert (figure.value, figure.low, figure.high) == (2.0, 1.0, 3.0)
    assert (figure.ours, figure.baseline, figure.unit, figure.reached) == (20.0, 10.0, "x", True)
    assert order == ["baseline", "ours", "ours", "baseline", "baseline", "ours"]


def test_the_tables_for_the_docs_hold_every_figure_and_its_own_table() -> None:
    figure = Figure(
        "scale",
        0.93,
        0.93,
        0.93,
        "of linear",
        at_least(0.9, floor=0.8),
        detail={"table": [["workers", "files/s"], ["8", "745"]]},
    )
    text = results.markdown(
        {"scale": figure.as_json(), "ratio": compare("ratio", float, lambda _: 1.0, "/s", 2).as_json()}
    )
    assert "| scale | 0.93 of linear | 0.93 to 0.93 | >= 0.9 | yes | >= 0.8 |  |  | A |  |" in text
    assert "| ratio | 0.5 x | 0 to 1 |" in text
    assert "| workers | files/s |\n|---|---|\n| 8 | 745 |" in text


def test_the_cost_of_a_search_is_drawn_as_bars() -> None:
    rows = [["points", "beside", "p50, ms"], ["1,000", "nothing", "5"], ["10,000", "nothing", "10"]]
    facts = {"value": 5, "low": 5, "high": 5, "unit": "ms", "detail": {"table": rows}}
    bars = results.markdown({"search_p50_ms": facts}).splitlines()[-2:]
    assert bars == [f"    1,000, nothing   {'█' * 30} 5", f"    10,000, nothing  {'█' * 60} 10"]
