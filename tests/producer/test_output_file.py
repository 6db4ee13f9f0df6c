"""A file that is there whole or not at all."""

from pathlib import Path

import pytest

from producer.output_file import written
from settings.errors import WrongUse


def test_the_file_takes_its_place_once_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")
    with written(target) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


def test_after_an_error_the_old_file_is_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def interrupted() -> None:
        with written(target) as path:
            path.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("name", ["nowhere/a.csv", "folder"])
def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(WrongUse, match=r"(cannot be written: No such file|is a folder)"), written(tmp_path / name):
        pass
