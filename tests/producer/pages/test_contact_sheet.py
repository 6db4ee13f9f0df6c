"""A contact sheet holds everything it shows, and nothing in it can run or break it."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

from producer.pages.contact_sheet import Section, contact_sheet
from tests.producer.browser_pages import HOSTILE, hostile_page, jpeg

Attributes = dict[str, str | None]


class Read(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Attributes]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[Attributes]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_no_name_or_caption_becomes_markup() -> None:
    page = Read(hostile_page())
    assert page.open == []
    allowed = {"html", "head", "meta", "title", "style", "body", "header", "h1", "p", "main", "section", "h2", "ol"}
    assert {tag for tag, _ in page.elements} == allowed | {"li", "a", "div", "img", "span", "br"}
    assert not any(name.startswith("on") for _, attributes in page.elements for name in attributes)
    for text in HOSTILE[:5]:
        assert page.text.count(text) >= 2


def test_only_files_and_web_addresses_become_links() -> None:
    links = [attributes["href"] or "" for attributes in Read(hostile_page()).all("a")]
    assert len(links) == len(HOSTILE) + 1
    assert {urlsplit(link).scheme for link in links} == {"file"}
    assert links[0] == "file:///p/0%3Cb%3E%22%27%FF.jpg"


def test_nothing_is_fetched_and_every_picture_says_what_it_shows() -> None:
    page = Read(hostile_page())
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert page.all("meta")[1] == {"http-equiv": "Content-Security-Policy", "content": policy}
    pictures = page.all("img")
    assert len(pictures) == len(HOSTILE) + 2
    assert all((picture["src"] or "").startswith("data:image/jpeg;base64,") for picture in pictures)
    assert all(picture["alt"] and picture["loading"] == "lazy" for picture in pictures)
    assert page.all("html") == [{"lang": "en"}]


def test_a_page_can_be_written_whatever_is_in_it() -> None:
    assert "\ufffd" in hostile_page().encode("utf-8").decode("utf-8")


def test_a_card_tells_what_is_known_and_no_more() -> None:
    full: dict[str, Any] = {
        "uri": "file:///p/%C3%A4%20b.jpg", "score": 0.81239, "caption": "a red circle", "width": 4000, "height": 3000,
        "format": "JPEG", "taken_at": "2024-05-31T14:00:00", "camera": "X100", "bytes": 2_100_000,
    }  # fmt: skip
    page = Read(
        contact_sheet("red", "2 pictures", [Section("", [full, {"uri": "file:///q.png"}])], {full["uri"]: jpeg()})
    )
    shown = " ".join(page.text[page.text.index("2 pictures") :].split())
    assert shown == (
        "2 pictures 0.812 a red circle ä b.jpg 4000 x 3000 · JPEG · 2024-05-31 · X100 · 2.1 MB in /p "
        "This file cannot beread on this machine. q.png"
    )
    assert page.all("h2") == []


def test_a_card_says_that_browsers_do_not_show_such_a_file() -> None:
    rows = [{"uri": "file:///a.heic", "format": "HEIF"}, {"uri": "file:///b.jpg", "format": "JPEG"}]
    page = Read(contact_sheet("red", "2 pictures", [Section("", rows)], {row["uri"]: jpeg() for row in rows}))
    assert page.text.count("Most browsers save such a file and do not show it.") == 1


def test_no_result_is_said_so() -> None:
    assert "Nothing matches." in Read(contact_sheet("red", "0 pictures", [Section("", [])], {})).text
