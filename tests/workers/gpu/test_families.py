"""Each family of embedders and captioners through the whole of a GPU worker: read, decode, batch, publish."""

from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import redis
import torch
from PIL import Image

from pictures.decode import decode
from tests.pictures.made.pictures import local_path
from tests.workers.gpu.bench import Bench, files_of
from tests.workers.inference import tiny_captioners, tiny_embedders
from workers.inference.captioners.captioner import checkpoint_captioner
from workers.inference.embedders.embedder import Embedder

CPU = torch.device("cpu")
PAIRS = list(zip(tiny_embedders.FAMILIES, cycle(tiny_captioners.FAMILIES), strict=False))


@pytest.mark.parametrize(("embedder", "captioner"), PAIRS)
def test_each_file_has_the_vector_and_the_caption_of_its_own_picture(
    folder: Path, tmp_path: Path, client: redis.Redis, embedder: str, captioner: str
) -> None:
    tiny_embedders.FAMILIES[embedder](tmp_path / "embedder")
    tiny_captioners.FAMILIES[captioner](tmp_path / "captioner")
    clip = Embedder(str(tmp_path / "embedder"), CPU, "float32", 8)
    blip = checkpoint_captioner(str(tmp_path / "captioner"), CPU, "float32", 4, 8)
    bench = Bench(clip, blip, client, lambda shas: [None] * len(shas))
    files = files_of(folder, 5)
    bench.process_each(files)
    bench.pipeline.close()
    assert bench.failures == {}
    rows = bench.rows
    for item in files:
        data = local_path(item.uri).read_bytes()
        picture = decode(data, 10**6, clip.model_input, blip.model_input)
        assert picture.blip is not None
        vector, payload, reused = rows[item.number]
        # The batch may round another way than the picture alone.
        assert float(vector @ clip.embed_pictures([picture.clip])[0]) > 0.9999
        assert payload["caption"] == blip.caption([picture.blip])[0]
        assert (payload["clip_model"], payload["blip_model"], reused) == (clip.name, blip.name, False)


def test_a_picture_in_its_own_proportions_is_never_enlarged_and_no_larger_than_the_limit(tmp_path: Path) -> None:
    tiny_captioners.FAMILIES["GIT"](tmp_path / "captioner")
    target = checkpoint_captioner(str(tmp_path / "captioner"), CPU, "float32", 4, 8).model_input
    shapes = []
    for size in ((60, 20), (1024, 10), (3000, 1500)):
        Image.fromarray(np.zeros((*size[::-1], 3), dtype=np.uint8)).save(tmp_path / "a.jpg")
        shapes.append(decode((tmp_path / "a.jpg").read_bytes(), 10**8, target, None).clip.shape)
    assert shapes == [(20, 60, 3), (10, 1024, 3), (512, 1024, 3)]
