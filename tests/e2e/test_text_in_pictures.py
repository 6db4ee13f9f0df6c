"""Text in pictures from the command to the answer: read later than the rest, then found by its words."""

from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.e2e.conftest import Home
from tests.e2e.in_process import NULL

pytestmark = pytest.mark.e2e


def test_text_is_read_in_an_ingest_of_its_own_and_a_receipt_is_found_by_its_words(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name, text in (("a.png", "Invoice 2024"), ("b.png", "Museum ticket"), ("c.png", "")):
        page = Image.new("RGB", (300, 300), "white")
        ImageDraw.Draw(page).text((20, 130), text, font=ImageFont.load_default(40), fill="black")
        page.save(folder / name)
    home.settings |= NULL
    first = home.json("ingest", str(folder))
    assert (first["stored"], first["exit"]) == (3, 0)
    home.settings |= {"DARKROOM__MODELS__OCR": "true", "DARKROOM__STACK__LINGER_SECONDS": "60"}
    then = home.json("ingest", str(folder), "--captions", "now")
    assert (then["stored"], then["skipped"], then["exit"]) == (3, 0, 0)
    assert home.json("ingest", str(folder), "--captions", "now")["skipped"] == 3
    for words, found in (("INVOICE", ["a.png"]), ("ticket museum", ["b.png"]), ("nothing", [])):
        answer = home.json("search", "anything", "--by", "meaning", "--where", f"text:{words}")
        assert [Path(hit["path"]).name for hit in answer["results"]] == found
    assert home.run("down", module="workers").returncode == 0
