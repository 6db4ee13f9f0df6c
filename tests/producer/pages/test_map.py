"""The page of a map: everything inside it, and nothing in it but data that could run."""

import base64
import html
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from producer.pages.map import check_map, map_page
from settings.errors import ServiceMissing
from tests.e2e.chromium import page

NAUGHTY = '</script><script>document.title="hacked"</script>'


@pytest.fixture
def data() -> dict[str, Any]:
    """Five points in a row; one has a name and a caption that try to become a part of the page."""
    places = np.array([[0, 0], [16000, 16000], [32000, 32000], [48000, 48000], [65535, 65535]], dtype="<u2")
    return {
        "places": base64.b64encode(places.tobytes()).decode(),
        "clusters": base64.b64encode(bytes([0, 0, 1, 1, 1])).decode(),
        "labels": [{"text": "dog, grass", "cluster": 0, "x": 8000.0, "y": 8000.0}],
        "uris": [f"file:///p/{number}.png" for number in range(5)],
        "names": ["/p/ä.png", NAUGHTY, "/p/2.png", "/p/3.png", "/p/4.png"],
        "captions": ["a dog", NAUGHTY, "", "", ""],
        "thumbnails": {},
    }


def embedded(text: str) -> str:
    """The data in a page."""
    element = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert element is not None
    return element.group(1)


def test_the_data_come_back_as_they_went_in(data: dict[str, Any]) -> None:
    text = map_page("my & <collection>", 5, data)
    assert json.loads(embedded(text)) == data
    assert "my &amp; &lt;collection&gt;" in text
    assert "5 pictures;" in text
    assert "5 of 1,234,567 pictures;" in map_page("c", 1_234_567, data)


def test_it_can_be_written_whatever_a_caption_holds(data: dict[str, Any]) -> None:
    data["captions"][2:] = ["größer 写真", "<!--<script>", "a\u202eb\x00\n \udcff"]
    text = map_page("c \udcff", 5, data).encode("utf-8").decode("utf-8")
    assert json.loads(embedded(text)) == data
    assert "<!--" not in text


def test_without_jinja_a_map_is_refused_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ServiceMissing, match=r"^Pages need Jinja2, .* `pip install '\.\[map\]'`"):
        check_map(tmp_path / "map.html")


def test_it_fetches_nothing_and_needs_nothing_beside_it(data: dict[str, Any]) -> None:
    text = map_page("c", 5, data)
    policy = (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: file: http: https:"
    )
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in text
    assert not re.search(r"<link|<script src|@import|url\(", text)


def test_a_browser_draws_every_point_and_runs_nothing_that_a_caption_says(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    file.write_text(map_page("c", 5, data), encoding="utf-8")
    seen = page(file.as_uri(), tmp_path / "profile")
    assert 'aria-label="Map of 5 pictures, 5 of them in view"' in seen
    assert "<title>Map of c - Darkroom</title>" in seen


def told_by_the_page(data: dict[str, Any], folder: Path, script: str, *options: str) -> Any:
    """What a script finds out in the page, as JSON."""
    text = map_page("c", 5, data).replace(
        "</body>", f"<script>document.title = JSON.stringify({script});</script></body>"
    )
    (folder / "map.html").write_text(text, encoding="utf-8")
    seen = page((folder / "map.html").as_uri(), folder / "profile", *options)
    title = re.search(r"<title>(.*?)</title>", seen, re.DOTALL)
    assert title is not None
    return json.loads(html.unescape(title.group(1)))


@pytest.mark.parametrize("size", ["1400,800", "500,600"])
def test_the_card_of_a_point_stays_in_the_window_however_long_its_caption_is(
    data: dict[str, Any], tmp_path: Path, size: str
) -> None:
    data["captions"] = ["a very long caption " * 60] * 5
    script = """[0, 1, 2, 3, 4].map(n => {
      hover(across(n), down(n));
      const box = card.getBoundingClientRect();
      return [box.left >= 0, box.top >= 0, box.right <= innerWidth, box.bottom <= innerHeight, box.height > 100];
    })"""
    assert told_by_the_page(data, tmp_path, script, f"--window-size={size}") == 5 * [5 * [True]]


def test_pictures_grow_as_one_zooms_in_and_are_never_smaller_than_at_first(
    data: dict[str, Any], tmp_path: Path
) -> None:
    script = "[edge(), (zoom(200, 200, 4), edge()), (zoom(200, 200, 1e6), edge()), (zoom(200, 200, 1e-9), edge())]"
    first, larger, largest, smallest = told_by_the_page(data, tmp_path, script)
    assert first < larger < largest == 192
    assert smallest == 64


def test_no_picture_covers_another_one(data: dict[str, Any], tmp_path: Path) -> None:
    places = np.random.default_rng(0).integers(0, 65536, (300, 2)).astype("<u2")
    data["places"] = base64.b64encode(places.tobytes()).decode()
    data["clusters"] = base64.b64encode(bytes(300)).decode()
    data["thumbnails"] = {str(number): "" for number in range(300)}
    script = """[1, 1.3, 1.7, 1.2, 1.9].map(factor => {
      zoom(500, 300, factor);
      const shown = spread();
      const covered = (n, m) => Math.abs(across(n) - across(m)) < edge() && Math.abs(down(n) - down(m)) < edge();
      return [shown.length > 3, shown.some((n, at) => shown.slice(0, at).some(m => covered(n, m)))];
    })"""
    assert told_by_the_page(data, tmp_path, script) == 5 * [[True, False]]
