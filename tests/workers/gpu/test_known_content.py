"""Content that the collection holds already: no model sees it again, except for what is missing."""

from pathlib import Path

import numpy as np
import pytest

from tests.pictures.made.pictures import local_path
from tests.workers.gpu.bench import OpenBench, files_of
from workers.gpu.delivery import KnownContent
from workers.inference.blip import Blip
from workers.inference.clip import Clip


def test_known_content_runs_no_model_and_keeps_its_own_path(
    open_bench: OpenBench, folder: Path, clip: Clip, blip: Blip
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
        "camera": "Box",
        "gps": {"lat": 1.0, "lon": 2.0},
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
        for fact in ("caption", "blip_model", "width", "height", "format", "bytes", "camera", "gps"):
            assert found[fact] == payload[fact]


@pytest.mark.parametrize("before", [{}, {"caption": "of another model", "blip_model": "another"}])
def test_captions_switched_on_later_compute_captions_only(
    open_bench: OpenBench, folder: Path, clip: Clip, blip: Blip, before: dict[str, str]
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


def test_captions_switched_off_keep_those_that_are_there(open_bench: OpenBench, folder: Path, clip: Clip) -> None:
    vector = np.full(clip.dim, clip.dim**-0.5, dtype=np.float32)
    bench = open_bench(
        look_up=lambda shas: [KnownContent(vector, {"caption": "kept", "blip_model": "old"})] * len(shas)
    )
    bench.process_each(files_of(folder, 2))
    assert bench.pipeline.clip_batcher.batches == 0
    assert {(payload["caption"], payload["blip_model"]) for _, payload, _ in bench.rows.values()} == {("kept", "old")}
