"""JPEG XL: its colours, its turns, its facts, and its size before it is decoded."""

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from pictures.codecs.jpeg_xl import size_of
from pictures.decode import decode
from pictures.picture import LoadError
from pictures.preprocessing import fit
from tests.pictures.made.pictures import SIDES, WHOLE, encoded, levels_apart, lying, quarters, seen
from tests.pictures.made.profiles import DISPLAY_P3, in_space, rgb_profile

pytest.importorskip("pillow_jxl")


@pytest.mark.parametrize("lossless", [False, True])
def test_a_jpeg_xl_is_read(lossless: bool) -> None:
    picture = seen(encoded(quarters(), "JXL", lossless=lossless))
    assert (picture.format, picture.width, picture.height) == ("JXL", 96, 64)
    assert levels_apart(picture.clip, fit(quarters(), WHOLE)) < 3


@pytest.mark.parametrize("depth", [np.uint16, np.float32])
@pytest.mark.parametrize("colours", ["grey", "RGB"])
def test_more_than_eight_bits_are_read(depth: type, colours: str) -> None:
    pixels = np.asarray(quarters().convert("L" if colours == "grey" else "RGB"))
    # The encoder notes these depths as light, which has no gamma (IEC 61966-2-1).
    light = np.where(pixels <= 10, pixels / 255 / 12.92, ((pixels / 255 + 0.055) / 1.055) ** 2.4)
    most = 65535 if depth is np.uint16 else 1
    data = bytes(imagecodecs.jpegxl_encode((light * most).astype(depth), lossless=True))
    wanted = np.asarray(Image.fromarray(pixels).convert("RGB"))
    assert levels_apart(seen(data).clip, fit(Image.fromarray(wanted), WHOLE)) < 3


def test_transparency_lies_on_white() -> None:
    clear = quarters().convert("RGBA")
    clear.putalpha(0)
    assert seen(encoded(clear, "JXL", lossless=True)).clip.min() > 250


@pytest.mark.parametrize("orientation", SIDES)
def test_a_jpeg_packed_as_jpeg_xl_keeps_its_turn_its_colours_and_its_facts(orientation: int) -> None:
    exif = Image.Exif()
    exif.update({0x0112: orientation, 271: "NIKON", 272: "Z 6"})
    there = lying(in_space(quarters(), DISPLAY_P3), orientation)
    jpeg = encoded(there, "JPEG", quality=95, exif=exif.tobytes(), icc_profile=rgb_profile(DISPLAY_P3))
    picture = seen(bytes(imagecodecs.jpegxl_encode_jpeg(jpeg, usecontainer=True)))
    assert (picture.width, picture.height, picture.facts["camera"]) == (96, 64, "NIKON Z 6")
    assert levels_apart(picture.clip, fit(quarters(), WHOLE)) < 5


def test_the_turn_that_exif_names_does_not_count() -> None:
    exif = Image.Exif()
    exif.update({0x0112: 6, 271: "NIKON", 272: "Z 6"})
    picture = seen(encoded(quarters(), "JXL", exif=exif.tobytes()))
    assert (picture.width, picture.height, picture.facts["camera"]) == (96, 64, "NIKON Z 6")


@pytest.mark.parametrize("size", [(8, 8), (64, 64), (40, 24), (300, 200), (1, 600), (9000, 3), (99, 99)])
def test_the_size_is_in_the_header(size: tuple[int, int]) -> None:
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    assert size_of(bytes(imagecodecs.jpegxl_encode(pixels, lossless=True, effort=1))) == size
    assert size_of(encoded(Image.fromarray(pixels), "JXL")) == size


def test_too_many_pixels_are_refused_before_it_is_decoded() -> None:
    data = encoded(Image.new("RGB", (300, 300)), "JXL")
    with pytest.raises(LoadError, match=r"300 x 300 = 90,000 pixels are more than ingest\.max_pixels = 100"):
        decode(data, 100, WHOLE, None)
