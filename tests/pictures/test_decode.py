"""Sound pictures of every kind: what the models see is what a person would."""

import numpy as np
import pytest
from PIL import Image

from pictures.decode import decode
from pictures.preprocessing import ModelInput, fit
from tests.pictures.made.pictures import (
    FORMATS,
    SIDES,
    WHOLE,
    colour_at,
    encoded,
    levels_apart,
    lying,
    quarters,
    seen,
    smooth,
)

WHITE = (255, 255, 255)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", SIDES)
def test_every_orientation_gives_the_same_upright_picture(form: str, orientation: int) -> None:
    if form not in FORMATS:
        pytest.skip(f"Pillow was built without {form} here")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = seen(encoded(lying(quarters(), orientation), form, exif=exif.tobytes()))
    assert (picture.width, picture.height) == (96, 64)
    assert levels_apart(picture.clip, fit(quarters(), WHOLE)) < 6


def test_the_size_is_that_of_the_upright_original_although_it_was_scaled_while_decoding() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = seen(encoded(lying(quarters(1201, 801), 6), "JPEG", exif=exif.tobytes()))
    assert (picture.width, picture.height, picture.format) == (1201, 801, "JPEG")
    assert levels_apart(picture.clip, fit(quarters(1201, 801), WHOLE)) < 3


@pytest.mark.parametrize("form", FORMATS)
def test_the_format_is_told_by_the_content(form: str) -> None:
    picture = seen(encoded(quarters(), form))
    assert picture.format == form
    assert levels_apart(picture.clip, fit(quarters(), WHOLE)) < 8


def test_both_models_get_their_own_size_and_without_captions_only_clip_does() -> None:
    small = ModelInput(32, 48, (32, 48), Image.Resampling.BICUBIC, WHOLE.mean, WHOLE.std)
    both = decode(encoded(quarters(), "PNG"), 10_000, WHOLE, small)
    assert both.blip is not None
    assert (both.clip.shape, both.blip.shape) == ((64, 64, 3), (48, 32, 3))
    assert decode(encoded(quarters(), "PNG"), 10_000, WHOLE, None).blip is None


@pytest.mark.parametrize("form", ["JPEG", "PNG", "HEIF"])
@pytest.mark.parametrize("edge", [32, 300])
def test_a_small_picture_comes_with_it_and_changes_nothing_that_the_models_see(form: str, edge: int) -> None:
    if form not in FORMATS:
        pytest.skip(f"Pillow was built without {form} here")
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(lying(quarters(1200, 800), 6), form, exif=exif.tobytes())
    clip = ModelInput(edge, edge, edge, Image.Resampling.BICUBIC, WHOLE.mean, WHOLE.std)
    blip = ModelInput(384, 384, (384, 384), Image.Resampling.BICUBIC, WHOLE.mean, WHOLE.std)
    for captions in (None, blip):
        alone, beside = (decode(data, 10**6, clip, captions, small=small) for small in (None, 256))
        assert alone.small is None
        assert beside.small is not None
        assert beside.small.size == (256, 171)
        corner = colour_at(np.asarray(beside.small), 0.25, 0.25)
        assert corner == pytest.approx(colour_at(alone.clip, 0.25, 0.25), abs=9)
        assert np.array_equal(alone.clip, beside.clip)
        assert captions is None or np.array_equal(alone.blip, beside.blip)  # type: ignore[arg-type]  # both are there


def test_a_small_picture_is_not_larger_than_the_picture() -> None:
    small = decode(encoded(quarters(), "PNG"), 10_000, WHOLE, None, small=256).small
    assert small is not None
    assert small.size == (96, 64)


@pytest.mark.parametrize(
    "dark_value", [pytest.param(0xFFFF, id="full range"), pytest.param(200, id="nearly black throughout")]
)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_greys(form: str, dark_value: int) -> None:
    ramp = np.tile(np.linspace(0, dark_value, 64).astype(np.uint16), (64, 1))
    picture = seen(encoded(Image.fromarray(ramp), form))
    assert levels_apart(picture.clip[:, :, 0], ramp / 257) < 1.5


def test_cmyk_keeps_its_colours() -> None:
    pixels = seen(encoded(quarters().convert("CMYK"), "JPEG")).clip
    red, green, blue = colour_at(pixels, 0.2, 0.2)
    assert red > 180 > 80 > max(green, blue)


def test_a_palette_with_a_transparent_colour_lies_on_white() -> None:
    image = Image.new("P", (64, 64), 0)
    image.putpalette([10, 200, 10, 200, 10, 10])
    image.paste(1, (0, 0, 32, 64))
    for form in ("PNG", "GIF"):
        pixels = seen(encoded(image, form, transparency=0)).clip
        assert colour_at(pixels, 0.1, 0.5) == (200, 10, 10)
        assert colour_at(pixels, 0.9, 0.5) == WHITE


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_transparency_lies_on_white(mode: str, form: str) -> None:
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 32, 64))
    pixels = seen(encoded(image.convert(mode), form, lossless=True)).clip
    assert colour_at(pixels, 0.1, 0.5) == (0, 0, 0)
    assert colour_at(pixels, 0.9, 0.5) == WHITE


def test_one_colour_of_an_rgb_png_may_be_transparent() -> None:
    image = Image.new("RGB", (64, 64), (1, 2, 3))
    image.paste((200, 10, 10), (0, 0, 32, 64))
    pixels = seen(encoded(image, "PNG", transparency=(1, 2, 3))).clip
    assert (colour_at(pixels, 0.1, 0.5), colour_at(pixels, 0.9, 0.5)) == ((200, 10, 10), WHITE)


def test_black_and_white_scans_are_read() -> None:
    image = Image.new("1", (64, 64), 1)
    image.paste(0, (0, 0, 32, 64))
    pixels = seen(encoded(image, "TIFF", compression="group4")).clip
    assert (colour_at(pixels, 0.1, 0.5), colour_at(pixels, 0.9, 0.5)) == ((0, 0, 0), WHITE)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (63, 65)])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_thinnest_pictures_fill_both_models(form: str, size: tuple[int, int]) -> None:
    crop = ModelInput(64, 64, 64, Image.Resampling.BICUBIC, WHOLE.mean, WHOLE.std)
    picture = decode(encoded(Image.new("RGB", size, (200, 100, 50)), form), 10_000, crop, WHOLE)
    assert (picture.width, picture.height) == size
    assert picture.blip is not None
    for pixels in (picture.clip, picture.blip):
        assert pixels.shape == (64, 64, 3)
        assert levels_apart(pixels, np.full_like(pixels, (200, 100, 50))) < 4


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_picture_of_a_film_stands_for_it(form: str) -> None:
    first, *others = (Image.new("RGB", (64, 64), colour) for colour in ("red", "blue", "blue"))
    red, green, blue = colour_at(seen(encoded(first, form, save_all=True, append_images=others)).clip, 0.5, 0.5)
    assert red > 240 > 20 > max(green, blue)


def test_a_stereo_jpeg_is_called_jpeg() -> None:
    picture = seen(encoded(smooth(200, 100), "MPO", save_all=True, append_images=[smooth(200, 100, seed=1)]))
    assert (picture.format, picture.width, picture.height) == ("JPEG", 200, 100)
