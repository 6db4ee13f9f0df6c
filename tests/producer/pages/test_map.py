"""The page of a map: everything inside it, and nothing in it but data that could run."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from producer.pages.map import page_of
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


def test_the_data_come_back_as_they_went_in(data: dict[str, Any]) -> None:
    text = page_of("my & <collection>", 5, data)
    inside = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert inside is not None
    assert json.loads(inside.group(1)) == data
    assert "my &amp; &lt;collection&gt;" in text
    assert "5 pictures;" in text
    assert "5 of 1,234,567 pictures;" in page_of("c", 1_234_567, data)


def test_it_fetches_nothing_and_needs_nothing_beside_it(data: dict[str, Any]) -> None:
    text = page_of("c", 5, data)
    assert "default-src &#x27;none&#x27;" in text
    assert not re.search(r"<link|<script src|@import|url\(", text)


def test_a_browser_draws_every_point_and_runs_nothing_that_a_caption_says(data: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "map.html"
    file.write_text(page_of("c", 5, data), encoding="utf-8")
    seen = page(file.as_uri(), tmp_path / "profile")
    assert 'aria-label="Map of 5 pictures, 5 of them in view"' in seen
    assert "<title>Map of c - Darkroom</title>" in seen
