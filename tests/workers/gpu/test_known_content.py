"""Content that the collection holds already: no model sees it again, except for what is missing."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tasks.checkpoint import IN_INT8, PREPROCESSING
from tasks.messages import FileItem
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import local_path
from tests.workers.gpu.bench import OpenBench, files_of
from workers.gpu.delivery import KnownContent
from workers.inference.captioners.captioner import Captioner
from workers.inference.embedders.embedder import Embedder


def test_known_content_runs_no_model_and_keeps_its_own_path(
    open_bench: OpenBench, folder: Path, clip: Embedder, blip: Captioner
) -> None:
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    payload = {
        "uri": "file:///elsewhere/old.png",
        "name": "old.png",
        "caption": "as it was",
        "blip_model": blip.name,
        "width": 7,
        "height": 5,
        "format": "PNG",
        "bytes": 3,
        "camera": "as an older release read it",
    }
    bench = open_bench(captions=True, look_up=lambda shas: [KnownContent(vector, payload)] * len(shas))
    files = files_of(folder, 3)
    bench.process_each(files)
    assert bench.pipeline.clip_batcher.batches == 0
    assert bench.pipeline.blip_batcher is not None
    assert bench.pipeline.blip_batcher.batches == 0
    for item in files:
        row, found, reused = bench.rows[item.number]
        assert reused
        assert np.array_equal(row, vector)
        assert (found["uri"], found["name"]) == (item.uri, local_path(item.uri).name)
        for fact in ("caption", "blip_model", "width", "height", "format"):
            assert found[fact] == payload[fact]
        assert found["bytes"] == local_path(item.uri).stat().st_size
        assert "camera" not in found


def test_a_copy_has_the_facts_of_its_own_sidecar_and_none_of_the_other(
    open_bench: OpenBench, folder: Path, tmp_path: Path, clip: Embedder
) -> None:
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    payload = {"format": "PNG", "width": 72, "height": 72, "rating": 1, "title": "of the other", "sidecar": [1, 2]}
    bench = open_bench(look_up=lambda shas: [KnownContent(vector, payload)] * len(shas))
    data = local_path(files_of(folder, 1)[0].uri).read_bytes()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(data)
    sidecar = tmp_path / "a.png.xmp"
    sidecar.write_bytes(xmp("<dc:title>of this one</dc:title><xmp:Rating>5</xmp:Rating>"))
    bench.process([FileItem(1, (tmp_path / "a.png").as_uri()), FileItem(2, (tmp_path / "b.png").as_uri())])
    first, second = (bench.rows[number][1] for number in (1, 2))
    assert (first["title"], first["rating"]) == ("of this one", 5)
    assert first["sidecar"] == [sidecar.stat().st_size, sidecar.stat().st_mtime_ns]
    assert not {"title", "rating", "sidecar"} & second.keys()
    assert bench.pipeline.clip_batcher.batches == 0


@pytest.mark.parametrize("before", [{}, {"caption": "of another model", "blip_model": "another"}])
def test_captions_switched_on_later_compute_captions_only(
    open_bench: OpenBench, folder: Path, clip: Embedder, blip: Captioner, before: dict[str, str]
) -> None:
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    bench = open_bench(captions=True, look_up=lambda shas: [KnownContent(vector, dict(before))] * len(shas))
    bench.process_each(files_of(folder, 5))
    assert bench.pipeline.clip_batcher.batches == 0
    assert bench.pipeline.blip_batcher is not None
    assert bench.pipeline.blip_batcher.items == 5
    for row, payload, reused in bench.rows.values():
        assert np.array_equal(row, vector)
        assert payload["caption"].startswith("a ")
        assert (payload["blip_model"], reused) == (blip.name, False)


def test_captions_switched_off_keep_those_that_are_there(open_bench: OpenBench, folder: Path, clip: Embedder) -> None:
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    bench = open_bench(
        look_up=lambda shas: [KnownContent(vector, {"caption": "kept", "blip_model": "old"})] * len(shas)
    )
    bench.process_each(files_of(folder, 2))
    assert bench.pipeline.clip_batcher.batches == 0
    assert {(payload["caption"], payload["blip_model"]) for _, payload, _ in bench.rows.values()} == {("kept", "old")}


def test_the_precision_of_an_embedding_goes_with_it(
    open_bench: OpenBench, folder: Path, clip: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedder, "preprocessing", IN_INT8)
    first, second = files_of(folder, 2)
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    known = KnownContent(vector, {"width": 7, "height": 5, "format": "PNG", "preprocessing": PREPROCESSING})
    sha256 = hashlib.sha256(local_path(first.uri).read_bytes()).hexdigest()
    bench = open_bench(look_up=lambda shas: [known if sha == sha256 else None for sha in shas])
    bench.process([first, second])
    assert {number: payload["preprocessing"] for number, (_, payload, _) in bench.rows.items()} == {
        first.number: PREPROCESSING,
        second.number: IN_INT8,
    }
