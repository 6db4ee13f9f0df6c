"""Damaged and hostile bytes: they end as a picture or as a reason in words, and never as anything else."""

import tracemalloc
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pictures.decode import decode
from pictures.picture import LoadError, Picture
from tests.pictures.made.cr3_file import cr3_file
from tests.pictures.made.hand_made import bomb, chunk, png
from tests.pictures.made.pictures import FORMATS, MAX_PIXELS, WHOLE, encoded, seen, smooth
from tests.pictures.made.raw_files import raw_file

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

# Film and several layouts of data too: each has a decoder of its own.
SOUND = {name.lower(): encoded(smooth(160, 120), name) for name in FORMATS}
SOUND["progressive jpeg"] = encoded(smooth(160, 120), "JPEG", progressive=True)
SOUND["interlaced palette png"] = encoded(smooth(160, 120).quantize(64), "PNG")
SOUND["film gif"] = encoded(smooth(80, 60), "GIF", save_all=True, append_images=[smooth(80, 60, seed=1)])
SOUND["film webp"] = encoded(smooth(80, 60), "WEBP", save_all=True, append_images=[smooth(80, 60, seed=1)])
SOUND["lossless webp"] = encoded(smooth(80, 60), "WEBP", lossless=True)
SOUND["jpeg 2000"] = encoded(smooth(80, 60), "JPEG2000")
for kind in ("DNG", "NEF", "RAF"):
    SOUND[kind.lower()] = raw_file(kind, smooth(96, 64), preview=encoded(smooth(96, 64), "JPEG"))
SOUND["cr3"] = cr3_file((96, 64), encoded(smooth(96, 64), "JPEG"))
SOUND["dng without a preview"] = raw_file("DNG", smooth(96, 64))
for compression in ("tiff_lzw", "tiff_deflate", "jpeg", "packbits"):
    SOUND[f"{compression} tiff"] = encoded(smooth(80, 60), "TIFF", compression=compression)


def outcome(data: bytes) -> Picture | str:
    """The picture, or the reason; anything else that comes out of the decoder fails the test."""
    try:
        picture = decode(data, MAX_PIXELS, WHOLE, WHOLE)
    except LoadError as error:
        refused = error
    else:
        assert picture.clip.shape == (64, 64, 3)
        return picture
    assert refused.stage == "decode"
    assert 10 < len(refused.reason) < 300
    assert "\n" not in refused.reason
    assert " at 0x" not in refused.reason
    return refused.reason


@pytest.mark.parametrize("kind", SOUND)
def test_a_file_cut_off_anywhere_ends_as_a_picture_or_a_reason(kind: str) -> None:
    data = SOUND[kind]
    assert isinstance(outcome(data), Picture)
    places = {1, 2, 3, 4, 7, 8, 11, 12, 16, 20, 24, 33, 50, 100, 200}
    places |= {len(data) * tenth // 10 for tenth in range(1, 10)} | {len(data) - rest for rest in (1, 2, 8, 50)}
    for place in sorted(place for place in places if place < len(data)):
        outcome(data[:place])


# Of a film the first picture is there; what a progressive JPEG lacks in its second half makes it sharper.
READ_IN_HALF = {"raf", "jpeg 2000", "film gif", "film webp", "progressive jpeg"}


@pytest.mark.parametrize("kind", sorted(set(SOUND) - READ_IN_HALF))
def test_a_file_cut_in_half_is_called_cut_off(kind: str) -> None:
    reason = outcome(SOUND[kind][: len(SOUND[kind]) // 2])
    assert isinstance(reason, str)
    assert reason.startswith("the picture is cut off")


def test_a_raf_file_cut_off_behind_its_preview_is_read() -> None:
    assert isinstance(outcome(SOUND["raf"][: len(SOUND["raf"]) // 2]), Picture)


@pytest.mark.parametrize("kind", ["png", "webp", "avif", "tiff_deflate tiff"])
def test_a_file_damaged_in_its_middle_is_called_damaged_and_by_its_format(kind: str) -> None:
    data = bytearray(SOUND[kind])
    data[len(data) * 2 // 5 : len(data) * 4 // 5] = b"\xa5" * (len(data) * 4 // 5 - len(data) * 2 // 5)
    assert outcome(bytes(data)) == f"its {kind.split()[-1].upper()} data are damaged"


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    kind=st.sampled_from(sorted(SOUND)),
    flips=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7), st.booleans()), min_size=1, max_size=8
    ),
)
def test_flipped_bits_end_as_a_picture_or_a_reason(kind: str, flips: list[tuple[float, int, bool]]) -> None:
    data = bytearray(SOUND[kind])
    for place, bit, in_header in flips:
        data[int(place * (min(len(data), 200) if in_header else len(data)))] ^= 1 << bit
    outcome(bytes(data))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    kinds=st.tuples(st.sampled_from(sorted(SOUND)), st.sampled_from(sorted(SOUND))),
    places=st.tuples(*[st.floats(0, 1)] * 3),
)
def test_a_piece_of_one_file_within_another_ends_as_a_picture_or_a_reason(
    kinds: tuple[str, str], places: tuple[float, float, float]
) -> None:
    whole, other = SOUND[kinds[0]], SOUND[kinds[1]]
    at, begin, end = (int(place * len(data)) for place, data in zip(places, (whole, other, other)))
    outcome(whole[:at] + other[min(begin, end) : max(begin, end)] + whole[at:])


@settings(max_examples=100, deadline=None, derandomize=True)
@given(head=st.sampled_from([sound[:12] for sound in SOUND.values()]), rest=st.binary(max_size=300))
def test_noise_behind_a_right_beginning_ends_as_a_picture_or_a_reason(head: bytes, rest: bytes) -> None:
    outcome(head + rest)


def test_the_cut_off_header_of_a_colour_profile_is_no_reason_to_crash() -> None:
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(b"profile" * 50)[:-9] + b"123456789")
    assert isinstance(outcome(png(8, 8, profile, chunk(b"IDAT", zlib.compress(bytes(72))))), Picture | str)


def test_a_header_that_claims_too_many_pixels_is_refused_before_anything_is_decoded() -> None:
    tracemalloc.start()
    reason = outcome(png(30_000, 30_000, chunk(b"IDAT", zlib.compress(b"\0"))))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason == "30000 x 30000 = 900,000,000 pixels are more than ingest.max_pixels = 4,000,000"
    assert peak < 1_000_000


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP"])
def test_too_many_pixels_are_refused_in_every_format(form: str) -> None:
    data = encoded(Image.new("L", (100, 50)), form)
    with pytest.raises(LoadError, match=r"100 x 50 = 5,000 pixels are more than ingest\.max_pixels = 4,999"):
        decode(data, 4_999, WHOLE, None)
    assert decode(data, 5_000, WHOLE, None).width == 100


def test_a_png_that_unpacks_to_more_than_it_claims_stays_small() -> None:
    packed = bomb()
    for data in (
        png(64, 64, chunk(b"IDAT", packed)),
        png(64, 64, chunk(b"zTXt", b"text\0\0" + packed), chunk(b"IDAT", zlib.compress(bytes(65 * 64)))),
        png(64, 64, chunk(b"iCCP", b"name\0\0" + packed), chunk(b"IDAT", zlib.compress(bytes(65 * 64)))),
    ):
        tracemalloc.start()
        outcome(data)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 20_000_000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"hello, this is a letter" * 50,
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"P6 1 1 255\nabc",
    ],
)
def test_what_is_no_picture_that_we_read_is_called_so(data: bytes) -> None:
    assert outcome(data) == "its content is not a picture format that Darkroom reads"


def test_a_sound_picture_is_still_read_after_all_of_that() -> None:
    assert seen(SOUND["jpeg"]).width == 160
