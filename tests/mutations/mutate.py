"""Small sound pictures of every format, and what becomes of them: bytes flipped, lengths changed, headers mixed."""

import random
import struct
from collections.abc import Callable
from functools import cache

from PIL import Image

from tests.e2e.bad_inputs import whole_files
from tests.pictures.made.described import FULL
from tests.pictures.made.pictures import encoded, smooth
from tests.pictures.made.profiles import DISPLAY_P3, rgb_profile
from tests.pictures.made.raw_files import raw_file

# Numbers at which a decoder may count wrongly.
EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
# In so many bytes at the beginning most formats say what follows.
HEAD = 200


@cache
def seeds() -> dict[str, tuple[str, bytes]]:
    """Label -> extension and bytes of a sound file, some with all that may stand beside a picture."""
    picture = smooth(96, 64)
    found = whole_files()
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Canon", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:06 07:08:09"
    beside = {"exif": exif.tobytes(), "icc_profile": rgb_profile(DISPLAY_P3)}
    for form, extension in (("JPEG", "jpg"), ("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif"), ("TIFF", "tif")):
        xmp = {} if form == "PNG" else {"xmp": FULL}
        found[f"described {form.lower()}"] = (extension, encoded(picture, form, **beside, **xmp))
    for packing in ("tiff_deflate", "packbits", "jpeg", "tiff_adobe_deflate"):
        found[f"{packing} tiff"] = ("tif", encoded(picture, "TIFF", compression=packing))
    found["jpeg 2000"] = ("jpg", encoded(picture, "JPEG2000"))
    found["palette png"] = ("png", encoded(picture.quantize(32), "PNG", transparency=3))
    found["lossless webp"] = ("webp", encoded(picture, "WEBP", lossless=True))
    found["jpeg with restarts"] = ("jpg", encoded(picture, "JPEG", restart_marker_rows=1))
    found["packed bmp"] = ("bmp", encoded(picture.quantize(32), "BMP"))
    for kind in ("CR2", "ARW", "ORF", "RW2", "RAF"):
        found[kind.lower()] = (kind, raw_file(kind, picture, preview=encoded(picture, "JPEG")))
    return found


def _place(rng: random.Random, data: bytes) -> int:
    return rng.randrange(max(1, min(len(data), HEAD) if rng.random() < 0.5 else len(data)))


def flipped(rng: random.Random, data: bytes) -> bytes:
    """Some bits are the other way round."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        changed[_place(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def with_another_number(rng: random.Random, data: bytes) -> bytes:
    """Two or four bytes, perhaps a length, are another number: one at an edge, or one nearby."""
    at, code = _place(rng, data), rng.choice(("<H", ">H", "<I", ">I"))
    size = struct.calcsize(code)
    (number,) = struct.unpack(code, data[at : at + size].ljust(size, b"\0"))
    number = rng.choice(EDGES) if rng.random() < 0.5 else number + rng.randint(-9, 9)
    return data[:at] + struct.pack(code, number % (1 << 8 * size)) + data[at + size :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.randint(1, len(data))]


def without_a_piece(rng: random.Random, data: bytes) -> bytes:
    """Some bytes are missing inside."""
    at = _place(rng, data)
    return data[:at] + data[at + rng.randint(1, 400) :]


def with_zeros(rng: random.Random, data: bytes) -> bytes:
    """Zeros stand between the bytes, or in place of some."""
    at, count = _place(rng, data), rng.randint(1, 600)
    return data[:at] + bytes(count) + data[at + rng.choice((0, count)) :]


def with_noise(rng: random.Random, data: bytes) -> bytes:
    """Random bytes stand in place of some."""
    at, count = _place(rng, data), rng.randint(1, 60)
    return data[:at] + rng.randbytes(count) + data[at + count :]


def with_another_head(rng: random.Random, data: bytes) -> bytes:
    """The beginning is that of another file."""
    _, other = seeds()[rng.choice(sorted(seeds()))]
    return other[: rng.choice((4, 12, 30, HEAD, 600))] + data[rng.choice((4, 12, 30, HEAD)) :]


def with_a_piece_of_another(rng: random.Random, data: bytes) -> bytes:
    """A piece of another file stands inside."""
    _, other = seeds()[rng.choice(sorted(seeds()))]
    start, at = rng.randrange(len(other)), _place(rng, data)
    return data[:at] + other[start : start + rng.randint(1, 2_000)] + data[at:]


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    flipped,
    with_another_number,
    cut,
    without_a_piece,
    with_zeros,
    with_noise,
    with_another_head,
    with_a_piece_of_another,
)


def mutated(seed: int, number: int) -> tuple[str, bytes]:
    """The name and the bytes of an input, always the same for the same two numbers."""
    rng = random.Random(f"{seed}/{number}")
    label = sorted(seeds())[number % len(seeds())]
    extension, data = seeds()[label]
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(MUTATIONS)(rng, data) or b"\0"
    return f"{number:06} {label}.{extension}", data
