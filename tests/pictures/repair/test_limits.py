"""Headers that claim huge pictures: each is refused before memory is taken for what it claims."""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from PIL import Image

from pictures.facts.png import png_metadata
from pictures.repair.gif import first_picture
from tests.conftest import ROOT
from tests.pictures.made.cr3_file import cr3_file
from tests.pictures.made.hand_made import chunk, claiming, png
from tests.pictures.made.pictures import FORMATS, encoded, smooth
from tests.pictures.made.raw_files import raw_file
from tests.pictures.repair.opening_child import ROOM

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the size of a process from /proc")

MOST = 65_535
SMALL = smooth(128, 64)
TOO_MANY = "pixels are more than ingest.max_pixels"


def gif(disposal: int, screen: int = MOST, picture: int = MOST, before: bytes = b"") -> bytes:
    """A GIF of a few bytes, whose first picture is disposed of in this way."""
    control = b"!\xf9\x04" + bytes([disposal << 2 | 1]) + bytes(4)
    screens = struct.pack("<HHBBB", screen, screen, 0x80, 0, 0) + bytes(6)
    pictures = b"," + struct.pack("<HHHHB", 0, 0, picture, picture, 0) + b"\x02\x02\x4c\x01\0;"
    return b"GIF89a" + screens + before + control + pictures


def lines_run(work: Callable[[], object], function: str) -> int:
    """How many lines of a function of the project the work runs."""
    lines = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace if frame.f_code.co_name == function else None

    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(None)
    return lines


def webp(name: bytes, body: bytes) -> bytes:
    """A WebP of one chunk."""
    content = b"WEBP" + name + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(content)) + content


def tiff(form: str, width: int, height: int, counts: int = 1) -> bytes:
    """The header of a TIFF, or of a RAW file like one, with so many strips."""
    magic = {"TIFF": b"II*\0", "ORF": b"IIRO", "RW2": b"IIU\0"}[form]
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
               (273, 4, counts, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, counts, 8)]  # fmt: skip
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return magic + struct.pack("<IH", 8, len(entries)) + packed + bytes(4)


HALF = encoded(SMALL, "JPEG")
CLAIMS: dict[str, bytes] = {
    **{
        form: claiming(encoded(SMALL, form), form, MOST, MOST)
        for form in (*FORMATS, "JPEG2000")
        if form not in ("WEBP", "AVIF")
    },
    "progressive JPEG": claiming(encoded(SMALL, "JPEG", progressive=True), "JPEG", MOST, MOST),
    "PNG of 2 billion columns": png(2**31 - 1, 2**31 - 1, chunk(b"IDAT", zlib.compress(b"\0"))),
    "animated PNG": png(
        MOST,
        MOST,
        chunk(b"acTL", struct.pack(">II", 2, 0)),
        chunk(b"fcTL", struct.pack(">5IHHBB", 0, MOST, MOST, 0, 0, 1, 1, 2, 1)),
        chunk(b"IDAT", zlib.compress(b"\0")),
    ),
    **{f"GIF with disposal {disposal}": gif(disposal) for disposal in range(8)},
    "GIF whose picture is larger than its screen": gif(2, screen=9),
    "GIF whose screen is larger than its picture": gif(2, picture=9),
    "GIF with an empty extension before": gif(2, before=b"!\xff\0\x08\0\0!\xf9\x01\0"),
    "GIF with an odd loop before": gif(2, before=b"!\xff\x0bNETSCAPE2.0\0\x02!\xf9\0\0"),
    "extended WebP": webp(b"VP8X", bytes(4) + b"\xff\x3f\0" * 2) + encoded(SMALL, "WEBP")[12:],
    "extended WebP of 16 million columns": webp(b"VP8X", bytes(4) + b"\xff\xff\xff" + b"\xff\0\0"),
    "animated WebP": webp(b"VP8X", b"\2\0\0\0" + b"\xff\x3f\0" * 2),
    "WebP": webp(b"VP8 ", b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(40)),
    "WebP that claims to be 4 GB long": b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff"
    + encoded(SMALL, "WEBP", lossless=True)[20:1000],
    "lossless WebP": webp(b"VP8L", b"\x2f\xff\xff\xff\x0f" + bytes(40)),
    "AVIF whose boxes say less than its pixels": claiming(
        encoded(Image.new("L", (2_100, 2_100), 90), "AVIF", speed=10), "AVIF", 64, 64
    ),
    "TIFF of four billion columns": tiff("TIFF", 2**32 - 1, 2**32 - 1),
    "TIFF of many strips": tiff("TIFF", MOST, MOST, counts=2**31),
    "ORF": tiff("ORF", MOST, MOST),
    "RW2": tiff("RW2", MOST, MOST),
    "DNG": raw_file("DNG", SMALL).replace(struct.pack("<HHII", 256, 4, 1, 128), struct.pack("<HHII", 256, 4, 1, MOST)),
    "RAF": raw_file("RAF", SMALL, preview=HALF).replace(struct.pack(">HH", 64, 128), struct.pack(">HH", MOST, MOST)),
    "CR3": cr3_file((MOST, MOST), HALF),
    "JPEG of no rows": claiming(HALF, "JPEG", MOST, 0),
    "BMP of negative height": claiming(encoded(SMALL, "BMP"), "BMP", MOST, -MOST),
    "packed BMP": claiming(encoded(SMALL.quantize(16), "BMP"), "BMP", MOST, MOST).replace(
        struct.pack("<HHI", 1, 8, 0), struct.pack("<HHI", 1, 8, 1)
    ),
}


# Headers that lead nowhere; LibRaw does not believe the others.
UNREADABLE = {
    "GIF with an empty extension before",
    "JPEG of no rows",
    "WebP that claims to be 4 GB long",
    "ORF",
    "RW2",
    "DNG",
    "RAF",
    "CR3",
}


def test_a_header_that_claims_too_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    paths = []
    for number, (what, data) in enumerate(CLAIMS.items()):
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(data)
        assert len(data) < 50_000, what
    command = [sys.executable, "-m", "tests.pictures.repair.opening_child", *map(str, paths)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    reasons = dict(zip(CLAIMS, told["reasons"], strict=True))
    assert {what for what, reason in reasons.items() if not reason or "memory" in reason} == set()
    assert {what for what, reason in reasons.items() if TOO_MANY not in reason} == UNREADABLE
    assert told["grown"] < ROOM


@pytest.mark.parametrize(
    ("work", "function"),
    [
        (lambda hole: first_picture(b"GIF89a" + bytes(7) + hole), "_first_picture"),
        (lambda hole: png_metadata(b"\x89PNG\r\n\x1a\n" + hole), "_chunks"),
    ],
    ids=["GIF", "PNG"],
)
def test_a_hole_in_a_file_takes_no_more_steps_the_larger_it_is(work: Callable[[bytes], object], function: str) -> None:
    small, large = (lines_run(partial(work, bytes(size)), function) for size in (100, 100_000))
    assert small == large > 0


def test_what_is_nothing_before_a_picture_is_passed_over() -> None:
    assert first_picture(gif(1, 9, 9, before=bytes(1000))) == first_picture(gif(1, 9, 9))
