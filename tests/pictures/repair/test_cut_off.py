"""Pictures that are cut off: with all or nearly all pixels they are stored and say so, with fewer they are refused."""

import re
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from pictures.decode import decode
from pictures.picture import LoadError, Picture
from pictures.preprocessing import ModelInput
from tests.pictures.made.hand_made import chunk
from tests.pictures.made.pictures import MAX_PIXELS, WHOLE, encoded, levels_apart, smooth

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

PICTURE = smooth(640, 480, seed=11)
KINDS = {
    "jpeg": encoded(PICTURE, "JPEG", quality=90),
    "jpeg of full colour": encoded(PICTURE, "JPEG", quality=90, subsampling=0),
    "grey jpeg": encoded(PICTURE.convert("L"), "JPEG", quality=90),
    "cmyk jpeg": encoded(PICTURE.convert("CMYK"), "JPEG", quality=90),
    "jpeg with restarts": encoded(PICTURE, "JPEG", quality=90, restart_marker_rows=1),
    "png": encoded(PICTURE, "PNG"),
    "png with transparency": encoded(PICTURE.convert("RGBA"), "PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "grey gif": encoded(PICTURE.convert("L"), "GIF", interlace=False),
    "webp": encoded(PICTURE, "WEBP", quality=90),
    "lossless webp": encoded(PICTURE, "WEBP", lossless=True),
    "bmp": encoded(PICTURE, "BMP"),
}


def outcome(data: bytes, target: ModelInput = WHOLE) -> Picture | str:
    """The picture, or the reason."""
    try:
        return decode(data, MAX_PIXELS, target, None)
    except LoadError as error:
        return error.reason


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"bmp"}))
def test_without_its_last_bytes_a_picture_is_stored_as_damaged(kind: str) -> None:
    # Behind the pixels of a PNG is an empty chunk of twelve bytes.
    picture = outcome(KINDS[kind][: -14 if "png" in kind else -2])
    assert isinstance(picture, Picture), picture
    assert picture.facts["damaged"] is True
    assert picture.facts["damage"].startswith("its data end too early")
    whole = outcome(KINDS[kind])
    assert isinstance(whole, Picture)
    assert whole.facts == {}
    assert levels_apart(picture.clip, whole.clip) < 1


@pytest.mark.parametrize("kind", KINDS)
def test_with_nearly_all_of_its_pixels_a_picture_is_stored_as_damaged(kind: str) -> None:
    data = KINDS[kind]
    picture = outcome(data[: len(data) * 985 // 1000])
    assert isinstance(picture, Picture), picture
    assert picture.facts["damaged"] is True
    percent = re.fullmatch(r"its data end too early: (\d+) % of the picture is there", picture.facts["damage"])
    assert percent
    assert 95 <= int(percent[1]) <= 99
    whole = outcome(data)
    assert isinstance(whole, Picture)
    assert levels_apart(picture.clip, whole.clip) < 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.8, 0.5, 0.25])
def test_with_fewer_pixels_a_picture_is_cut_off(kind: str, share: float) -> None:
    data = KINDS[kind]
    reason = outcome(data[: int(len(data) * share)])
    assert isinstance(reason, str)
    said = re.fullmatch(r"the picture is cut off \((\d+) % is there\)", reason)
    assert said, reason
    # The picture is alike all over, so its bytes are spread evenly; a lossy WebP says something about all blocks first.
    there = int(said[1]) / 100
    assert share - (0.25 if kind == "webp" else 0.1) < there < share + 0.1


def test_the_share_of_a_jpeg_is_counted_to_its_last_block() -> None:
    data = encoded(smooth(64, 64, seed=3), "JPEG", quality=95)
    scan = data.index(b"\xff\xda")
    shares = set()
    for end in range(scan + 14, len(data) - 2, 7):
        result = outcome(data[:end])
        if isinstance(result, str):
            shares.add(result)
    assert len(shares) > 10


@pytest.mark.parametrize("filler", [b"", bytes(4_000)], ids=["nothing", "zeros"])
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["without an end", "with an end"])
def test_a_jpeg_whose_second_half_never_arrived_is_cut_off(filler: bytes, end: bytes) -> None:
    data = KINDS["jpeg"][: len(KINDS["jpeg"]) // 2]
    reason = outcome(data + filler + end)
    assert isinstance(reason, str)
    assert re.fullmatch(r"the picture is cut off \((4|5)\d % is there\)", reason)


def test_a_grey_corner_is_no_sign_of_damage() -> None:
    image = smooth(320, 240)
    image.paste((128, 128, 128), (200, 100, 320, 240))
    for options in ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}):
        picture = outcome(encoded(image, "JPEG", quality=95, **options))
        assert isinstance(picture, Picture)
        assert picture.facts == {}


PROGRESSIVE = encoded(PICTURE, "JPEG", quality=90, progressive=True)


def scans_of(data: bytes) -> list[int]:
    """Where the scans of a progressive JPEG begin."""
    return [match.start() for match in re.finditer(rb"\xff\xda", data)]


def test_a_progressive_jpeg_is_there_once_every_detail_was_brought_once() -> None:
    scans = scans_of(PROGRESSIVE)
    assert len(scans) == 10
    # The last five scans of this encoder make the numbers more precise.
    for end in (scans[6] + 200, scans[9] + 500, len(PROGRESSIVE) - 2):
        picture = outcome(PROGRESSIVE[:end])
        assert isinstance(picture, Picture), picture
        assert picture.facts["damage"] == "its data end too early, but all of its pixels are there"
    for end in (scans[0] + 300, scans[2] + 100, scans[4] + 100):
        reason = outcome(PROGRESSIVE[:end])
        assert isinstance(reason, str)
        assert reason.startswith("the picture is cut off")


def test_a_jpeg_that_ends_between_two_restarts_is_as_long_as_it_is() -> None:
    data = KINDS["jpeg with restarts"]
    marks = [match.start() for match in re.finditer(rb"\xff[\xd0-\xd7]", data)]
    reason = outcome(data[: marks[len(marks) // 2]])
    assert isinstance(reason, str)
    assert re.fullmatch(r"the picture is cut off \((4|5)\d % is there\)", reason)


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
def test_an_animation_needs_its_first_picture_alone(form: str) -> None:
    frames = [smooth(160, 120, seed=seed) for seed in range(4)]
    film = encoded(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    picture = outcome(film[: len(film) * 3 // 4])
    assert isinstance(picture, Picture), picture
    assert levels_apart(picture.clip, np.asarray(frames[0].resize((64, 64), Image.Resampling.BICUBIC))) < 12


@pytest.mark.parametrize("interlace", [False, True])
def test_the_pixels_of_a_png_are_counted_as_they_are_packed(interlace: bool) -> None:
    rows = zlib.compress(bytes(65 * 64), 0)
    header = struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, int(interlace))
    for share in (0.3, 0.9, 0.97):
        packed = rows[: int(len(rows) * share)]
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
        assert isinstance(outcome(data), Picture) == (share > 0.95)


def tiff(strips: int, packed: bool) -> bytes:
    """A grey TIFF of 200 rows, whose directory stands in front of its strips."""
    pixels = np.asarray(smooth(100, 200).convert("L"))
    parts = [part.tobytes() for part in np.split(pixels, strips)]
    if packed:
        parts = [zlib.compress(part) for part in parts]
    tables = 8 + 2 + 9 * 12 + 4
    starts = np.cumsum([tables + 8 * strips, *map(len, parts)])
    one = strips == 1
    entries = [(256, 4, 1, 100), (257, 4, 1, 200), (258, 3, 1, 8), (259, 3, 1, 8 if packed else 1), (262, 3, 1, 1),
               (273, 4, strips, starts[0] if one else tables), (277, 3, 1, 1), (278, 4, 1, 200 // strips),
               (279, 4, strips, len(parts[0]) if one else tables + 4 * strips)]  # fmt: skip
    directory = struct.pack("<H", 9) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + bytes(4)
    numbers = struct.pack(f"<{2 * strips}I", *starts[:-1], *map(len, parts))
    return b"II*\0\x08\0\0\0" + directory + numbers + b"".join(parts)


@pytest.mark.parametrize(("strips", "packed"), [(1, False), (100, False), (100, True)])
def test_a_tiff_is_counted_by_its_strips(strips: int, packed: bool) -> None:
    data = tiff(strips, packed)
    whole = outcome(data)
    assert isinstance(whole, Picture), whole
    assert whole.facts == {}
    picture = outcome(data[:-300])
    assert isinstance(picture, Picture), picture
    assert picture.facts["damage"].endswith("% of the picture is there")
    assert levels_apart(picture.clip, whole.clip) < 8
    reason = outcome(data[: len(data) * 7 // 10])
    assert isinstance(reason, str)
    assert re.fullmatch(r"the picture is cut off \((6|7)\d % is there\)", reason)


def test_a_jpeg_of_another_kind_is_not_called_cut_off() -> None:
    lossless = KINDS["grey jpeg"].replace(b"\xff\xc0", b"\xff\xc3", 1)
    reason = outcome(lossless)
    assert isinstance(reason, str)
    assert "cut off" not in reason


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "png": lambda data: data[:9_000] + b"\xa5" * 5_000 + data[14_000:],
    "lossless webp": lambda data: data[:40] + b"\xa5" * 5_000 + data[5_040:],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_pixels_that_are_wrong_are_damaged_and_not_cut_off(kind: str) -> None:
    assert outcome(DAMAGE[kind](KINDS[kind])) == f"its {kind.split()[-1].upper()} data are damaged"
