"""One resize from a reduced decode against what the Hugging Face processors make of the full picture."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from transformers import BlipImageProcessorPil, CLIPImageProcessorPil

from pictures.decode import decode
from pictures.preprocessing import ModelInput, fit
from tests.pictures.made.pictures import encoded, levels_apart, smooth
from workers.inference.embedders.embedder import Embedder
from workers.inference.pixels import PixelFeed

SIZES = [(640, 480), (480, 640), (333, 251), (251, 333), (101, 700), (701, 103), (1919, 1079), (224, 224), (97, 61)]


def reference(processor: Any, target: ModelInput, image: Image.Image) -> NDArray[np.float64]:
    """The processor's output, its normalisation undone: levels from 0 to 255 of (height, width, 3)."""
    normalised = np.asarray(processor(image, return_tensors="np")["pixel_values"][0], dtype=np.float64)
    levels: NDArray[np.float64] = (normalised.transpose(1, 2, 0) * target.std + target.mean) * 255
    return levels


@pytest.mark.parametrize("side", [224, 64])
@pytest.mark.parametrize("size", SIZES)
def test_clip_sees_what_its_processor_would_show_it(size: tuple[int, int], side: int) -> None:
    processor = CLIPImageProcessorPil(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
    target = ModelInput.from_processor(processor.to_dict(), side)
    image = smooth(*size, seed=side)
    assert levels_apart(fit(image, target), reference(processor, target, image)) < 0.5


@pytest.mark.parametrize("side", [384, 64])
@pytest.mark.parametrize("size", SIZES)
def test_blip_sees_what_its_processor_would_show_it(size: tuple[int, int], side: int) -> None:
    processor = BlipImageProcessorPil(size={"height": side, "width": side})
    target = ModelInput.from_processor(processor.to_dict(), side)
    image = smooth(*size, seed=side)
    assert levels_apart(fit(image, target), reference(processor, target, image)) < 0.01


def test_normalising_on_the_device_is_what_the_processor_does() -> None:
    import torch

    processor = BlipImageProcessorPil(size={"height": 64, "width": 64})
    feed = PixelFeed(torch.device("cpu"), ModelInput.from_processor(processor.to_dict(), 64))
    images = [smooth(64, 64, seed) for seed in range(3)]
    wanted = processor(images, return_tensors="np")["pixel_values"]
    assert np.allclose(feed([np.asarray(image) for image in images], torch.float32).numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("size", [(4000, 3000), (3000, 4000)])
def test_a_reduced_decode_of_twelve_megapixels_hardly_moves_the_embedding(
    size: tuple[int, int], clip: Embedder
) -> None:
    image = smooth(*size, seed=7)
    data = encoded(image, "JPEG", quality=90)
    reduced = decode(data, 20_000_000, clip.model_input, None)
    assert (reduced.width, reduced.height) == size
    one, other = clip.embed_pictures([reduced.clip, fit(image, clip.model_input)])
    assert float(one @ other) >= 0.99
