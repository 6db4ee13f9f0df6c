"""The page of `--html FILE` and `--open`."""

import io
import stat
import sys
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from producer.pages.contact_sheet import Section
from producer.pages.html_file import HtmlPage, fresh_page_file, wanted_page
from settings.errors import ServiceMissing, WrongUse


def test_the_page_replaces_the_one_before_and_says_what_could_not_be_read(tmp_path: Path) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "a.png")
    target = tmp_path / "page.html"
    HtmlPage(target, opened=False).make("The page before", "", [], Console(file=io.StringIO()))
    rows = [{"uri": (tmp_path / "a.png").as_uri(), "caption": "größer"}, {"uri": "file:///nowhere/b.png"}]
    page = wanted_page(target, opened=False)
    assert page is not None
    console = Console(file=io.StringIO())
    assert page.make("Pictures", "2 pictures", [Section("", rows)], console) == target
    text = target.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert "größer" in text
    assert sorted(tmp_path.iterdir()) == [tmp_path / "a.png", target]
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue() == f"Page: {target} (1 of 2 files could not be read here)\n"


def test_no_page_is_made_where_none_is_wanted() -> None:
    assert wanted_page(None, opened=False) is None
    assert wanted_page(None, opened=True) == HtmlPage(None, opened=True)


def test_a_page_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="there is no folder"):
        wanted_page(tmp_path / "nowhere" / "page.html", opened=False)


def test_without_jinja_a_page_is_refused_beforehand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    sentence = r"^Pages need Jinja2, which is not installed: run `pip install '\.\[pictures\]'` in Darkroom's folder\.$"
    with pytest.raises(ServiceMissing, match=sentence):
        wanted_page(tmp_path / "page.html", opened=False)


def test_a_page_to_look_at_gets_a_file_of_its_own_that_only_its_owner_can_read() -> None:
    one, other = fresh_page_file(), fresh_page_file()
    assert one != other
    assert one.suffix == ".html"
    HtmlPage(one, opened=False).make("Pictures", "", [], Console(file=io.StringIO()))
    assert stat.S_IMODE(one.stat().st_mode) == 0o600
    one.unlink()
    other.unlink()
