"""The wrong versions still fit the code, and running them tells a caught one from one that nobody notices."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.mutants.__main__ import MOST_RUNS, catch, make
from tests.mutants.wrong_versions import WRONG_VERSIONS, WrongVersion


@pytest.mark.parametrize("version", WRONG_VERSIONS, ids=lambda version: version.name.replace(" ", "-"))
def test_each_wrong_version_changes_code_that_stands_there_once_and_names_tests_that_exist(
    version: WrongVersion, tmp_path: Path
) -> None:
    copy = tmp_path / version.file
    copy.parent.mkdir(parents=True)
    shutil.copy(ROOT / version.file, copy)
    make(version, tmp_path)
    compile(copy.read_text(), version.file, "exec")
    assert copy.read_text() != (ROOT / version.file).read_text()
    assert [test for test in version.tests if not (ROOT / test.partition("::")[0]).is_file()] == []


def test_a_wrong_version_is_caught_by_the_name_of_a_test_and_one_that_nobody_notices_is_not(tmp_path: Path) -> None:
    clean = tmp_path / "clean"
    clean.mkdir()
    (clean / "sums.py").write_text("def total(one, two):\n    return one + two\n")
    (clean / "test_sums.py").write_text("import sums\n\n\ndef test_a_sum():\n    assert sums.total(2, 3) == 5\n")
    wrong = WrongVersion("the sum is wrong", "sums.py", "one + two", "one - two", ("test_sums.py",))
    caught = catch(wrong, clean, tmp_path / "wrong")
    assert (caught.test, caught.runs) == ("test_sums.py::test_a_sum", 1)
    assert caught.row() == "| the sum is wrong | `test_sums.py::test_a_sum` | 1 |"
    missed = catch(replace(wrong, name="the same sum", new="two + one"), clean, tmp_path / "same")
    assert (missed.test, missed.runs) == (None, MOST_RUNS)
    assert not (tmp_path / "same").exists()


def test_a_wrong_version_whose_code_has_moved_on_is_refused(tmp_path: Path) -> None:
    (tmp_path / "sums.py").write_text("one + two")
    with pytest.raises(ValueError, match=r"not once in sums\.py"):
        make(WrongVersion("gone", "sums.py", "three", "four", ()), tmp_path)
