"""The null model: embeddings that follow from the pixels, at the speed it is asked for, without torch."""

import subprocess
import sys
import time

import numpy as np
import pytest

from tasks.checkpoint import NullModel, checkpoint_name, null_model
from tests.conftest import ROOT
from workers.inference.null import NullClip


def pictures(*shades: int) -> list[np.ndarray]:
    return [np.full((4, 4, 3), shade, dtype=np.uint8) for shade in shades]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("null", NullModel(0, 48)),
        ("null:10", NullModel(10, 48)),
        ("null:0.5", NullModel(0.5, 48)),
        ("null:0:512", NullModel(0, 512)),
        ("null:", None),
        ("null:-1", None),
        ("null:1:0", None),
        ("nullify/clip", None),
        ("openai/clip-vit-base-patch32", None),
    ],
)
def test_the_setting_is_read_as_documented(name: str, model: NullModel | None) -> None:
    assert null_model(name) == model


def test_vectors_are_the_same_however_long_it_sleeps_so_the_name_is_the_same() -> None:
    assert checkpoint_name("null") == checkpoint_name("null:10") == NullClip("null:10:512").name == "null"


@pytest.mark.parametrize(("name", "dim"), [("null", 48), ("null:0:512", 512), ("null:0:7", 7)])
def test_embeddings_have_length_one_and_differ_where_the_pixels_do(name: str, dim: int) -> None:
    clip = NullClip(name)
    noise = np.random.default_rng(0).integers(0, 256, size=(4, 4, 3), dtype=np.uint8)
    vectors = clip.embed_pictures([*pictures(0, 128, 255), noise, noise.copy()])
    assert vectors.shape == (5, dim) == (5, clip.dim)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[3], vectors[4])
    assert abs(vectors[3] @ vectors[0]) < 0.9
    assert vectors[0] @ vectors[2] < -0.9


def test_texts_get_vectors_that_follow_from_their_letters() -> None:
    clip = NullClip("null")
    one, same, other = clip.embed_texts(["a dog", "a dog", "a cat"])
    assert np.array_equal(one, same)
    assert not np.allclose(one, other, atol=0.1)


def test_a_batch_takes_its_milliseconds_for_each_picture() -> None:
    clip = NullClip("null:5")
    begin = time.perf_counter()
    clip.embed_pictures(pictures(*range(20)))
    assert time.perf_counter() - begin >= 0.1


def test_a_worker_with_the_null_model_needs_no_torch() -> None:
    program = "import sys, workers.gpu.worker, workers.inference.null; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=60).returncode == 0
