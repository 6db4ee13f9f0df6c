"""Every format is the same picture to the models, and so is every orientation; RAW files have a module of their own."""

import random
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from models.scenes import Scene, draw
from pictures.decode import decode
from pictures.picture import Picture
from tests.pictures.made.pictures import FORMATS, SIDES, encoded, lying
from tests.pictures.made.profiles import ADOBE_RGB, in_space, rgb_profile
from workers.inference.embedders.embedder import Embedder

WIDTH, HEIGHT = 192, 160


@pytest.fixture(scope="module")
def scene(scenes: list[Scene]) -> Image.Image:
    return draw(scenes[5], random.Random(5), WIDTH).crop((0, 0, WIDTH, HEIGHT))


@pytest.fixture(scope="module")
def loaded(clip: Embedder) -> Callable[[bytes], tuple[Picture, NDArray[np.float32]]]:
    def load(data: bytes) -> tuple[Picture, NDArray[np.float32]]:
        picture = decode(data, 10**6, clip.model_input, None)
        return picture, clip.embed_pictures([picture.clip])[0]

    return load


Load = Callable[[bytes], tuple[Picture, NDArray[np.float32]]]


def kinds(scene: Image.Image) -> dict[str, tuple[str, bytes]]:
    """Label -> the format's name, and the scene in it."""
    other = Image.new("RGB", scene.size, "blue")
    film = {"save_all": True, "append_images": [other]}
    sixteen = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257)
    return {
        **{form: (form, encoded(scene, form)) for form in FORMATS},
        "animated WebP": ("WEBP", encoded(scene, "WEBP", **film)),
        "animated GIF": ("GIF", encoded(scene, "GIF", **film)),
        "animated PNG": ("PNG", encoded(scene, "PNG", **film)),
        "animated AVIF": ("AVIF", encoded(scene, "AVIF", **film)),
        "lossless WebP": ("WEBP", encoded(scene, "WEBP", lossless=True)),
        "JPEG 2000": ("JPEG2000", encoded(scene, "JPEG2000")),
        "progressive JPEG": ("JPEG", encoded(scene, "JPEG", progressive=True)),
        "CMYK JPEG": ("JPEG", encoded(scene.convert("CMYK"), "JPEG")),
        "LZW TIFF": ("TIFF", encoded(scene, "TIFF", compression="tiff_lzw")),
        "BigTIFF": ("TIFF", encoded(scene, "TIFF", big_tiff=True)),
        "PNG with transparency": ("PNG", encoded(scene.convert("RGBA"), "PNG")),
        "JPEG in Adobe RGB": (
            "JPEG",
            encoded(in_space(scene, ADOBE_RGB), "JPEG", icc_profile=rgb_profile(ADOBE_RGB)),
        ),
        "16-bit PNG": ("PNG", encoded(sixteen, "PNG")),
        "16-bit TIFF": ("TIFF", encoded(sixteen, "TIFF")),
    }


LABELS = list(kinds(Image.new("RGB", (8, 8))))


@pytest.mark.parametrize("label", LABELS)
def test_every_format_has_the_size_and_the_vector_of_the_same_picture_as_png(
    label: str, scene: Image.Image, loaded: Load
) -> None:
    form, data = kinds(scene)[label]
    picture, vector = loaded(data)
    assert (picture.format, picture.width, picture.height) == (form, WIDTH, HEIGHT)
    _, wanted = loaded(encoded(scene.convert("L") if "16-bit" in label else scene, "PNG"))
    assert float(vector @ wanted) >= 0.97


@pytest.mark.parametrize("orientation", SIDES)
def test_every_orientation_has_the_vector_of_the_upright_picture(
    orientation: int, scene: Image.Image, loaded: Load
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    for form in ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"):
        picture, vector = loaded(encoded(lying(scene, orientation), form, exif=exif.tobytes()))
        assert (picture.width, picture.height) == (WIDTH, HEIGHT)
        assert float(vector @ loaded(encoded(scene, form))[1]) >= 0.99
