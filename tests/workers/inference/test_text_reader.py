"""Text in pictures, by the models in RapidOCR's wheel."""

from pathlib import Path

import numpy as np
import pytest
import rapidocr

from benchmarks.inference.ocr import found_words
from benchmarks.inference.written import written
from settings.errors import ServiceMissing
from tasks.checkpoint import OCR_MODEL
from workers.inference import text_reader
from workers.inference.text_reader import EDGE, MOST_TIMES_AS_LONG, TextReader


@pytest.fixture(scope="module")
def reader() -> TextReader:
    """What reads text, warm."""
    found = TextReader()
    assert found.notes == []
    return found


def test_nine_of_ten_words_of_pictures_of_every_kind_are_found_each_in_its_own(reader: TextReader) -> None:
    shown = [written(number) for number in range(4)]
    texts = reader.read([picture.pixels for picture in shown])
    found = [found_words(text, picture) for text, picture in zip(texts, shown, strict=True)]
    assert sum(map(sum, found)) >= 0.9 * sum(map(len, found)), texts


def test_a_picture_without_text_has_none_and_a_line_of_text_is_a_line(reader: TextReader) -> None:
    page = written(0)
    empty, text = reader.read([np.full((200, 300, 3), 120, dtype=np.uint8), page.pixels])
    assert empty == ""
    assert 2 <= len(text.splitlines()) <= 5
    assert text == text.strip()


def test_the_narrowest_of_pictures_takes_no_more_memory_than_others(reader: TextReader) -> None:
    strips = [np.zeros((*shape, 3), dtype=np.uint8) for shape in ((1, 1), (3, EDGE))]
    for strip in (*strips, strips[1].transpose(1, 0, 2)):
        height, width, _ = text_reader._padded(strip).shape
        assert max(height, width) <= MOST_TIMES_AS_LONG * min(height, width)
    assert reader.read(strips) == ["", ""]


def test_the_models_of_the_wheel_are_those_that_the_name_says() -> None:
    kind, _, size = OCR_MODEL.rpartition("-")
    folder = Path(rapidocr.__file__).parent / "models"
    assert {file.name for file in folder.glob("*.onnx")} >= {f"{kind}_det_{size}.onnx", f"{kind}_rec_{size}.onnx"}


def test_a_machine_without_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_reader, "PACKAGES", ("rapidocr", "not_installed_anywhere"))
    with pytest.raises(ServiceMissing, match=r"models\.ocr = true needs not_installed_anywhere: run .*ocr"):
        TextReader().read([written(0).pixels])
    assert text_reader.finding()[0] == "bad"
