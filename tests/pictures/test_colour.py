"""Colour profiles: the models see the colours that a person would, and a broken profile loses no picture."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from pictures.colour import MAX_PROFILE_BYTES
from pictures.preprocessing import fit
from tests.pictures.made.pictures import FORMATS, WHOLE, colour_at, encoded, levels_apart, quarters, seen
from tests.pictures.made.profiles import ADOBE_RGB, DISPLAY_P3, SRGB, grey_profile, in_space, inks_profile, rgb_profile

SPACES = {"Display P3": DISPLAY_P3, "Adobe RGB": ADOBE_RGB}
SOUND = rgb_profile(DISPLAY_P3)


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("GIF", "BMP")])
def test_the_colours_of_another_space_come_out_as_they_look(form: str, space: str) -> None:
    there = in_space(quarters(), SPACES[space])
    tagged = seen(encoded(there, form, icc_profile=rgb_profile(SPACES[space]))).clip
    untagged = seen(encoded(there, form)).clip
    wanted = fit(quarters(), WHOLE)
    assert levels_apart(tagged, wanted) < 4
    assert levels_apart(untagged, wanted) > 8


def test_a_profile_of_srgb_itself_changes_not_one_level() -> None:
    plain = seen(encoded(quarters(), "PNG")).clip
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), None):
        assert (seen(encoded(quarters(), "PNG", icc_profile=profile)).clip == plain).all()


def test_transparency_and_a_profile_go_together() -> None:
    there = in_space(quarters(), ADOBE_RGB).convert("RGBA")
    there.paste((0, 0, 0, 0), (48, 0, 96, 64))
    pixels = seen(encoded(there, "PNG", icc_profile=rgb_profile(ADOBE_RGB))).clip
    assert colour_at(pixels, 0.9, 0.5) == (255, 255, 255)
    assert np.abs(np.subtract(colour_at(pixels, 0.2, 0.2), (220, 30, 30))).max() < 6


def test_a_palette_has_the_colours_of_its_profile() -> None:
    there = in_space(quarters(), ADOBE_RGB).quantize(8)
    pixels = seen(encoded(there, "PNG", icc_profile=rgb_profile(ADOBE_RGB))).clip
    assert np.abs(np.subtract(colour_at(pixels, 0.2, 0.2), (220, 30, 30))).max() < 8


def test_grey_has_the_gamma_of_its_profile() -> None:
    linear = Image.new("L", (64, 64), 55)  # 55/255 of the light is the sRGB value 128
    assert colour_at(seen(encoded(linear, "PNG", icc_profile=grey_profile(1.0))).clip, 0.5, 0.5)[0] in range(126, 131)
    assert colour_at(seen(encoded(linear, "PNG")).clip, 0.5, 0.5) == (55, 55, 55)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_inks_have_the_colours_of_their_profile(form: str) -> None:
    first = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    red, green, blue = colour_at(seen(encoded(first, form, icc_profile=inks_profile((53, 78, 62)))).clip, 0.5, 0.5)
    assert red > 230 > 40 > max(green, blue)
    red, green, blue = colour_at(seen(encoded(first, form)).clip, 0.5, 0.5)
    assert min(green, blue) > 200 > 40 > red
    paper = Image.new("CMYK", (64, 64), (0, 0, 0, 0))
    assert min(colour_at(seen(encoded(paper, form, icc_profile=inks_profile((53, 78, 62)))).clip, 0.5, 0.5)) > 250


def test_lab_is_read() -> None:
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    lab = ImageCms.applyTransform(quarters(), to_lab)
    assert lab is not None
    lab.info.pop("icc_profile", None)
    assert levels_apart(seen(encoded(lab, "TIFF")).clip, fit(quarters(), WHOLE)) < 4


@pytest.mark.parametrize(
    "profile",
    [
        b"no profile",
        SOUND[:200],
        grey_profile(1.0),
        inks_profile((53, 78, 62)),
        SOUND.ljust(MAX_PROFILE_BYTES + 1, b"\0"),
    ],
    ids=["noise", "cut", "of a grey scale", "of inks", "too large"],
)
def test_a_profile_that_cannot_be_used_counts_as_none(profile: bytes) -> None:
    tagged = seen(encoded(quarters(), "TIFF", icc_profile=profile)).clip
    assert (tagged == seen(encoded(quarters(), "TIFF")).clip).all()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), min_size=1, max_size=8),
    end=st.integers(0, len(SOUND)),
    inks=st.booleans(),
)
def test_no_profile_however_damaged_loses_a_picture(changes: list[tuple[int, int]], end: int, inks: bool) -> None:
    profile = bytearray(inks_profile((53, 78, 62)) if inks else SOUND)
    for place, value in changes:
        profile[place] = value
    image = quarters().convert("CMYK") if inks else quarters()
    cut = bytes(profile[:end]) if end % 2 else bytes(profile)
    assert seen(encoded(image, "JPEG", icc_profile=cut)).width == 96


def test_the_primaries_of_srgb_are_told_from_wider_ones() -> None:
    # The gamma of 2.2 differs from the curve of sRGB by a few levels only in the dark.
    tagged = seen(encoded(quarters(), "PNG", icc_profile=rgb_profile(SRGB))).clip
    assert 0 < levels_apart(tagged, fit(quarters(), WHOLE)) < 4
