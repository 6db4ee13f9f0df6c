"""TIFF beyond its pixels: which directory is the picture, what is told of it, and what is said when it is not read."""

import io
import struct
import sys
import tracemalloc

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures.decode import decode, small_picture
from pictures.picture import LoadError
from pictures.preprocessing import fit
from tests.pictures.kinds.kind import scene, shown
from tests.pictures.kinds.tiff_file import DEFLATE, LZW, Samples, Tiff
from tests.pictures.kinds.tiff_kinds import BLACK_IS_ZERO, RGB, numbers
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import MAX_PIXELS, WHOLE, encoded, levels_apart, lying, quarters, seen, smooth
from tests.pictures.made.profiles import ADOBE_RGB, in_space, rgb_profile

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

XMP = xmp("<dc:subject><rdf:Bag><rdf:li>owl</rdf:li></rdf:Bag></dc:subject>")


def written(pixels: np.ndarray, **options: object) -> bytes:
    """The bytes of a TIFF by tifffile, without what it adds of itself."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **{"metadata": None, "photometric": "rgb", **options})  # type: ignore[arg-type]  # options of any type
    return stream.getvalue()


def outcome(data: bytes) -> str:
    """The format of the picture, or the stage at which it failed."""
    try:
        return seen(data).format
    except LoadError as error:
        return error.stage


def of_a_scanner(picture: np.ndarray, small: np.ndarray) -> bytes:
    """A small copy in the first directory, marked as such, the picture in a directory below it."""
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        writer.write(
            small, subfiletype=1, subifds=1, photometric="rgb", metadata=None, extratags=[(271, 2, 0, "Nikon", True)]
        )
        writer.write(picture, subfiletype=0, photometric="rgb", metadata=None)
    return stream.getvalue()


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_the_picture_of_a_scanner_is_not_its_small_copy(depth: type) -> None:
    picture: Samples = np.asarray(quarters(240, 160)).astype(depth) * (257 if depth is np.uint16 else 1)
    found = seen(of_a_scanner(picture, np.asarray(smooth(60, 40))))
    assert (found.format, found.width, found.height) == ("TIFF", 240, 160)
    assert found.facts["camera"] == "Nikon"
    assert levels_apart(found.clip, fit(quarters(240, 160), WHOLE)) < 2


def test_a_small_copy_that_is_all_there_is_is_the_picture() -> None:
    assert seen(written(np.asarray(quarters()), subfiletype=1)).width == 96


def test_of_a_pyramid_the_largest_picture_is_seen() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for side in (96, 48, 24):
            small = np.asarray(quarters().resize((side, side * 2 // 3)))
            writer.write(small, subfiletype=int(side < 96), photometric="rgb", metadata=None)
    assert seen(stream.getvalue()).width == 96


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_what_pillow_does_not_read_is_turned_and_told_of_as_well(big: bool, orientation: int) -> None:
    pixels = np.asarray(lying(quarters(), orientation)).astype(np.uint16) * 257
    tags = [(274, 3, 1, orientation, True), (272, 2, 0, "Z 6", True), (700, 1, len(XMP), XMP, True)]
    found = seen(written(pixels, bigtiff=big, extratags=tags))
    assert (found.width, found.height, found.facts["camera"], found.facts["keywords"]) == (96, 64, "Z 6", ["owl"])
    assert levels_apart(found.clip, fit(quarters(), WHOLE)) < 2


def test_what_pillow_does_not_read_has_the_colours_of_its_profile() -> None:
    there = np.asarray(in_space(quarters(), ADOBE_RGB)).astype(np.uint16) * 257
    found = seen(written(there, iccprofile=rgb_profile(ADOBE_RGB)))
    assert levels_apart(found.clip, fit(quarters(), WHOLE)) < 4


def test_a_page_shows_the_same_picture() -> None:
    small = small_picture(Tiff(RGB, 32, "f").file(scene()), MAX_PIXELS, 64)
    assert levels_apart(np.asarray(small), shown(scene())) < 2


UNREADABLE = {
    "complex": Tiff(BLACK_IS_ZERO, 64, "c").file(scene()[..., 0].astype(np.complex64).view(np.uint64)),
    "many channels": Tiff(BLACK_IS_ZERO, 8, extra=(0,) * 39).file(np.zeros((4, 4, 40), np.uint8)),
    "an unknown packing": Tiff(RGB, 8, packing=LZW).file(np.zeros((4, 4, 3), np.uint8)).replace(
        struct.pack("<HHIHH", 259, 3, 1, LZW, 0), struct.pack("<HHIHH", 259, 3, 1, 34677, 0)
    ),
    "unknown colours": Tiff(10, 8).file(np.zeros((4, 4, 3), np.uint8)),
    "colours in blocks": Tiff(6, 8, more=((530, 3, (2, 2)),)).file(
        np.zeros((64, 64, 3), np.uint8), lambda _: bytes(64 * 64 * 3 // 2)
    ),
    "signed numbers of 12 bits": Tiff(BLACK_IS_ZERO, 12, "i").file(np.zeros((4, 4), np.int16)),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_sound_file_that_is_not_read_is_not_called_damaged(kind: str) -> None:
    with pytest.raises(LoadError, match=r"^a kind of TIFF that Darkroom does not read \(.+\)$"):
        seen(UNREADABLE[kind])


def test_too_many_pixels_are_refused_by_the_tags() -> None:
    data = Tiff(RGB, 32, "f", packing=DEFLATE).file(scene())
    for tag in (256, 257):
        data = data.replace(struct.pack("<HHII", tag, 4, 1, 64), struct.pack("<HHII", tag, 4, 1, 60_000))
    tracemalloc.start()
    try:
        with pytest.raises(LoadError, match=r"60000 x 60000 = 3,600,000,000 pixels are more than ingest\.max_pixels"):
            seen(data)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


def test_more_samples_than_the_limit_allows_for_are_refused_by_the_tags() -> None:
    data = Tiff(RGB, 8, extra=(0,) * 27, packing=DEFLATE).file(np.zeros((64, 64, 30), np.uint8))
    for limit in (4_096, 8_192):
        if limit * 16 < 64 * 64 * 30:
            with pytest.raises(
                LoadError, match=r"122,880 bytes of samples are more than 16 for each of ingest\.max_pixels"
            ):
                decode(data, limit, WHOLE, None)
        else:
            assert decode(data, limit, WHOLE, None).width == 64


@pytest.mark.parametrize("packing", [1, LZW, DEFLATE])
@pytest.mark.parametrize("layout", [{}, {"rows": 8}, {"tiled": True, "rows": 16}])
def test_a_file_that_ends_early_is_called_cut_off(packing: int, layout: dict[str, object]) -> None:
    # The directory stands before the pixels, as a program that writes in one go puts it.
    data = Tiff(RGB, 32, "f", packing=packing, directory_first=True, **layout).file(scene())  # type: ignore[arg-type]  # options of any type
    assert seen(data).width == 64
    with pytest.raises(LoadError, match="the picture is cut off: its data end too early"):
        seen(data[: len(data) * 2 // 3])


def test_no_number_of_a_damaged_file_is_made_up() -> None:
    data = bytearray(Tiff(RGB, 16, rows=8, packing=DEFLATE).file(numbers(scene(), "u", 16)))
    data[len(data) // 3 : len(data) // 3 + 200] = b"\xa5" * 200
    with pytest.raises(LoadError, match="its TIFF data are damaged"):
        seen(bytes(data))


def test_without_tifffile_the_reason_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(LoadError, match="a TIFF needs the package tifffile, which is not installed here"):
        seen(encoded(quarters(), "TIFF"))


def test_a_picture_takes_its_place_in_memory_before_it_is_decoded() -> None:
    reserved: list[int] = []
    decode(Tiff(RGB, 64, "f").file(scene()), MAX_PIXELS, WHOLE, None, reserved.append)
    assert reserved == [64 * 64 * 12]


KINDS = [
    Tiff(RGB, 16, rows=8, packing=DEFLATE, predictor=2).file(numbers(scene(), "u", 16)),
    Tiff(RGB, 32, "f", planar=True, packing=LZW).file(scene()),
    Tiff(BLACK_IS_ZERO, 12, tiled=True, rows=16).file(numbers(scene()[..., 0], "u", 12)),
    Tiff(RGB, 16, order=">", big=True, directory_first=True).file(numbers(scene(), "u", 16)),
]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(KINDS),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7), st.booleans()), min_size=1, max_size=8
    ),
    end=st.floats(0.1, 1),
)
def test_flipped_bits_end_as_a_picture_or_a_reason(
    kind: bytes, flips: list[tuple[float, int, bool]], end: float
) -> None:
    data = bytearray(kind)
    for place, bit, in_directory in flips:
        # The directory is at the end, or at the beginning.
        data[-1 - int(place * (300 if in_directory else len(data)))] ^= 1 << bit
    data = data[: int(len(data) * end)] if end > 0.6 else data
    assert outcome(bytes(data)) in ("TIFF", "decode")
