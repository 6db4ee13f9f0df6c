"""AVIF and HEIF: the crop, the largest pictures, and the brands of newer files."""

import pytest
from PIL import Image

from pictures.decode import decode
from pictures.picture import LoadError
from pictures.preprocessing import fit
from tests.pictures.made.cropped_avif import with_crop
from tests.pictures.made.hand_made import claiming
from tests.pictures.made.pictures import FORMATS, WHOLE, encoded, levels_apart, lying, quarters, seen

pytestmark = pytest.mark.skipif("AVIF" not in FORMATS, reason="Pillow was built without AVIF here")


@pytest.mark.parametrize("orientation", [1, 6])
def test_of_an_avif_with_a_crop_the_inside_is_seen_and_turned_afterwards(orientation: int) -> None:
    inside = lying(quarters(64, 48), orientation)
    whole = Image.new("RGB", (120, 100), "black")
    whole.paste(inside, (40, 20))
    right, down = 2 * 40 + inside.width - 120, 2 * 20 + inside.height - 100
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(whole, "AVIF", quality=95, exif=exif.tobytes())
    picture = seen(with_crop(data, *inside.size, right, down))
    assert (picture.format, picture.width, picture.height) == ("AVIF", 64, 48)
    assert levels_apart(picture.clip, fit(quarters(64, 48), WHOLE)) < 6


def test_a_crop_beyond_the_picture_counts_as_none() -> None:
    picture = seen(with_crop(encoded(quarters(), "AVIF"), 96, 64, 2, 0))
    assert (picture.width, picture.height) == (96, 64)


@pytest.mark.parametrize("size", [(16_500, 16_400), (40_000, 10)])
def test_an_avif_that_its_decoder_finds_too_large_is_not_called_damaged(size: tuple[int, int]) -> None:
    data = claiming(encoded(quarters(), "AVIF"), "AVIF", *size)
    with pytest.raises(
        LoadError, match=rf"^a kind of AVIF that Darkroom does not read \({size[0]} x {size[1]} pixels\)$"
    ):
        decode(data, 300_000_000, WHOLE, None)


@pytest.mark.skipif("HEIF" not in FORMATS, reason="pillow-heif is not installed here")
@pytest.mark.parametrize("brand", [b"mif2", b"miaf"])
def test_a_heif_of_a_newer_brand_is_read(brand: bytes) -> None:
    data = encoded(quarters(), "HEIF")
    picture = seen(data[:8] + brand + data[12:])
    assert picture.format == "HEIF"
    assert levels_apart(picture.clip, fit(quarters(), WHOLE)) < 8
