"""A page is written whole or not at all."""

import os
import tempfile
from pathlib import Path

import pytest

from producer.pages.html_file import check_page_file, fresh_page_file, write_page
from settings.errors import WrongUse
from tests.rights import without_rights


def test_a_page_replaces_the_one_before_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = check_page_file(tmp_path / "page.html")
    write_page(path, "one")
    write_page(path, "zwei ä")
    assert path.read_text(encoding="utf-8") == "zwei ä"
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_page_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.mkdir()
    with pytest.raises(WrongUse, match=r"page\.html cannot be written: "):
        write_page(path, "one")
    assert os.listdir(tmp_path) == ["page.html"]


def test_where_no_page_can_be_is_told_beforehand(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="is a folder: name a file, like"):
        check_page_file(tmp_path)
    with pytest.raises(WrongUse, match="there is no folder"):
        check_page_file(tmp_path / "nowhere" / "page.html")


def test_a_folder_that_takes_no_files_is_told_beforehand() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        with without_rights(), pytest.raises(WrongUse, match="you have no permission"):
            check_page_file(Path(folder, "page.html"))


def test_a_page_to_look_at_gets_a_file_of_its_own() -> None:
    one, other = fresh_page_file(), fresh_page_file()
    assert one != other
    assert one.suffix == ".html"
    one.unlink()
    other.unlink()
