"""Text in pictures on its way through a GPU worker: read once a content, kept, and added without embedding anew."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
import redis
from PIL import Image, ImageDraw, ImageFont

from pictures.picture import Pixels
from tasks.checkpoint import OCR_MODEL
from tasks.messages import FileItem, FilesMessage, Target
from tests.workers.gpu.bench import Bench, LookUp, files_of
from workers.gpu.delivery import KnownContent
from workers.inference.embedders.embedder import Embedder
from workers.inference.text_reader import TextReader

Open = Callable[[LookUp], Bench]


class Noting(TextReader):
    """What reads text, and notes which pictures it has seen."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Pixels] = []

    def read(self, pictures: Sequence[Pixels]) -> list[str]:
        """The same."""
        self.seen += pictures
        return super().read(pictures)


@pytest.fixture(scope="module")
def reader() -> Noting:
    """What reads text, warm."""
    return Noting()


@pytest.fixture
def open_reading(clip: Embedder, client: redis.Redis, reader: Noting) -> Iterator[Open]:
    """Opens pipelines that read text."""
    opened: list[Bench] = []

    def open_one(look_up: LookUp) -> Bench:
        opened.append(Bench(clip, None, client, look_up, reader))
        return opened[-1]

    yield open_one
    for bench in opened:
        bench.pipeline.close()


@pytest.fixture
def pages(tmp_path: Path) -> list[FileItem]:
    """A page, a copy of it, and one without text."""
    folder = tmp_path / "pages"
    folder.mkdir()
    page = Image.new("RGB", (300, 300), "white")
    page.save(folder / "c.png")
    ImageDraw.Draw(page).text((30, 130), "Invoice 2024", font=ImageFont.load_default(40), fill="black")
    page.save(folder / "a.png")
    shutil.copy(folder / "a.png", folder / "b.png")
    return files_of(folder, 3)


def nothing(shas: list[str]) -> list[KnownContent | None]:
    """A collection that holds none of these."""
    return [None] * len(shas)


def test_the_text_is_in_the_payload_and_a_copy_is_read_once(
    open_reading: Open, pages: list[FileItem], reader: Noting
) -> None:
    bench = open_reading(nothing)
    before = len(reader.seen)
    bench.process(pages)
    rows = [bench.rows[item.number][1] for item in pages]
    assert [row.get("text") for row in rows] == ["Invoice 2024", "Invoice 2024", None]
    assert {row["ocr_model"] for row in rows} == {OCR_MODEL}
    assert len(reader.seen) - before == 2


def test_it_is_added_to_known_content_without_embedding_and_then_kept(
    open_reading: Open, pages: list[FileItem], clip: Embedder, client: redis.Redis
) -> None:
    before = Bench(clip, None, client, nothing)
    before.process(pages[:1])
    vector, payload, _ = before.rows[pages[0].number]
    before.pipeline.close()
    assert "ocr_model" not in payload

    added = open_reading(lambda shas: [KnownContent(vector, payload)] * len(shas))
    added.process(pages[:1])
    again, with_text, reused = added.rows[pages[0].number]
    assert (with_text["text"], reused) == ("Invoice 2024", False)
    assert (again == vector).all()
    assert not added.pipeline.models.clip.is_loaded

    kept = open_reading(lambda shas: [KnownContent(vector, with_text)] * len(shas))
    kept.process(pages[:1])
    _, payload, reused = kept.rows[pages[0].number]
    assert (payload["text"], payload["ocr_model"], reused) == ("Invoice 2024", OCR_MODEL, True)
    assert kept.pipeline.models.reader is not None
    assert not kept.pipeline.models.reader.is_loaded


def test_a_message_that_wants_no_text_gets_none(open_reading: Open, pages: list[FileItem]) -> None:
    bench = open_reading(nothing)
    target = Target("pictures", "clip", "blip", "")
    bench.pipeline.process(FilesMessage(target, "job", "file:///root", pages[:1]), bench.ledger)
    assert "ocr_model" not in bench.rows[pages[0].number][1]
