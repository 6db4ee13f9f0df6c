"""A run of the benchmarks fails below a floor or on a wrong count, and says which in one line."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from benchmarks import registry
from benchmarks.__main__ import main
from benchmarks.figures import machine, results
from benchmarks.figures.bounds import WrongCount, at_least, at_most, require_count
from benchmarks.harness import Figure, measured


def fast(scratch: Path, quick: bool) -> list[Figure]:
    return [measured("fast", [95.0], "files/s", at_least(100, floor=90), detail={"device": 200.0})]


def slow(scratch: Path, quick: bool) -> list[Figure]:
    return [measured("slow_files", [80.0], "files/s", at_least(100, floor=90))]


def late(scratch: Path, quick: bool) -> list[Figure]:
    return [measured("late", [12.5], "s", at_most(5, floor=10))]


def lossy(scratch: Path, quick: bool) -> list[Figure]:
    require_count(2999, 3000, "files were stored")
    return []


@pytest.fixture(autouse=True)
def own_benchmarks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Four made-up benchmarks, and a file of results of their own."""
    for each in (fast, slow, late, lossy):
        monkeypatch.setitem(registry.BENCHMARKS, each.__name__, f"{__name__}:{each.__name__}")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    return tmp_path / "results.json"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_a_figure_between_its_floor_and_its_goal_passes_and_is_written(own_benchmarks: Path) -> None:
    done = run("fast")
    assert (done.exit_code, done.stderr) == (0, "")
    facts = results.read(own_benchmarks)["fast"]
    assert (facts["goal"], facts["reached"], facts["floor"]) == (">= 100", False, ">= 90")


def test_what_is_below_its_floor_or_above_its_most_fails_the_run_by_name(own_benchmarks: Path) -> None:
    done = run("slow", "fast", "late")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "error: slow_files is 80 files/s, and its floor >= 90.",
        "error: late is 12.5 s, and its floor <= 10.",
    ]
    assert results.read(own_benchmarks).keys() == {"slow_files", "fast", "late"}


def test_one_lost_file_fails_the_run_and_leaves_no_figure(own_benchmarks: Path) -> None:
    done = run("lossy", "fast")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ["error: lossy lost count: 2,999 of 3,000 files were stored."]
    assert results.read(own_benchmarks).keys() == {"fast"}


def test_a_check_measures_and_writes_nothing(own_benchmarks: Path) -> None:
    done = run("--check", "slow")
    assert done.exit_code == 1
    assert "its floor >= 90" in done.stderr
    assert not own_benchmarks.exists()


def test_a_smoke_run_is_held_to_counts_and_to_no_floor() -> None:
    assert run("--quick", "slow").exit_code == 0
    assert run("--quick", "lossy").exit_code == 1


def test_a_count_is_exact_or_wrong() -> None:
    require_count(3, 3, "files were stored")
    with pytest.raises(WrongCount, match=r"^4 of 3 files were stored$"):
        require_count(4, 3, "files were stored")


def test_every_figure_says_its_cpu_and_what_that_multiplies(own_benchmarks: Path) -> None:
    run("fast")
    said = results.read(own_benchmarks)["fast"]["machine"]
    assert all(flag in said for flag in machine.flags())
    assert "torch 2." in said
    assert said == machine.machine()


def test_a_cpu_that_is_held_down_is_said_so_and_its_figures_have_names_of_their_own(
    own_benchmarks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "FBGEMM_ENABLE_INSTRUCTIONS"):
        monkeypatch.setenv(name, "")  # so that it is put back
    assert run("--isa", "avx2", "fast").exit_code == 0
    assert machine.is_held_down()
    assert not machine.has_short_products()
    (facts,) = results.read(own_benchmarks).values()
    assert list(results.read(own_benchmarks)) == ["fast_avx2"]
    assert "held down to AVX2" in facts["machine"]


def test_the_shares_of_the_bare_loop_and_of_the_bare_device_are_a_table() -> None:
    figure = Figure("efficiency", 0.9, 0.9, 0.9, "x", ours=45.0, baseline=50.0, rate_unit="images/s",
                    precisions="bfloat16 / bfloat16", detail={"device": 60.0})  # fmt: skip
    text = results.shares_markdown({"efficiency": figure.as_json(), "other": measured("other", [1.0], "s").as_json()})
    row = "| efficiency | bfloat16 | 45 images/s | 50 images/s | 90.0% | 60 images/s | 75.0% |"
    assert text.splitlines()[2:] == [row]
    assert "efficiency_clip" in results.shares_markdown({})  # what has to be run first
