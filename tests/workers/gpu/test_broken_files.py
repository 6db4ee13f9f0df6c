"""Which failures are kept with size and time: those of the content alone."""

import os
from pathlib import Path

import pytest

from tasks.broken_files import BrokenFiles
from tasks.messages import FileItem
from tests.workers.gpu.bench import Bench, OpenBench
from workers.gpu.loading.loader import LoaderHere


def kept_reason(bench: Bench, path: Path) -> str | None:
    facts = path.stat()
    (known,) = BrokenFiles(bench.ledger.client).unchanged([(path.as_uri(), facts.st_size, facts.st_mtime_ns)])
    return None if known is None else f"{known.stage}: {known.reason}"


@pytest.fixture
def bench(open_bench: OpenBench) -> Bench:
    return open_bench(captions=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no picture", "decode: its content is not a picture format that Darkroom reads"),
        (b"", "read: the file is empty"),
        (b"x" * 2000, "read: 2,000 bytes are more than ingest.max_bytes = 1,000"),
    ],
)
def test_what_lies_in_the_content_is_kept(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, reason: str
) -> None:
    (loader,) = bench.pipeline.loaders.loaders
    assert isinstance(loader, LoaderHere)
    monkeypatch.setattr(loader.files._sources, "_max_bytes", 1000)
    path = tmp_path / "a.jpg"
    path.write_bytes(content)
    bench.process([FileItem(1, path.as_uri())])
    assert kept_reason(bench, path) == reason
    assert bench.failures == {1: reason.partition(": ")[2]}


def test_what_lies_elsewhere_is_not_kept(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    gone = tmp_path / "gone.jpg"
    bench.process([FileItem(1, pipe.as_uri()), FileItem(2, gone.as_uri())])
    gone.write_bytes(b"")
    assert [kept_reason(bench, path) for path in (pipe, gone)] == [None, None]
    assert set(bench.failures) == {1, 2}


def test_a_lack_of_memory_is_not_kept(bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pictures.decode.open_picture", no_memory)
    path = sorted(folder.iterdir())[0]
    bench.process([FileItem(1, path.as_uri())])
    assert bench.failures == {1: "not enough memory to decode it"}
    assert kept_reason(bench, path) is None
