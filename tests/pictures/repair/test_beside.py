"""What is broken beside a picture - checksums, lengths, texts, EXIF, profiles - is no damage: the picture is stored."""

import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tests.pictures.made.hand_made import bomb, chunk
from tests.pictures.made.pictures import encoded, levels_apart, quarters, seen
from tests.pictures.made.profiles import DISPLAY_P3, rgb_profile

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

PNG = encoded(quarters(), "PNG")
JPEG = encoded(quarters(), "JPEG", quality=95)
# Behind the header of a PNG, and behind the marker with which a JPEG begins.
PNG_PLACE, JPEG_PLACE = 33, 2


def with_chunk(*chunks: bytes) -> bytes:
    """The PNG with more chunks before its pixels."""
    return PNG[:PNG_PLACE] + b"".join(chunks) + PNG[PNG_PLACE:]


def wrong(made: bytes) -> bytes:
    """The chunk with a wrong checksum."""
    return made[:-1] + bytes([made[-1] ^ 0x55])


def with_segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """The JPEG with one more segment, whose length may be wrong."""
    said = len(content) + 2 if length is None else length
    return JPEG[:JPEG_PLACE] + struct.pack(">BBH", 0xFF, marker, said) + content + JPEG[JPEG_PLACE:]


def lengthened(made: bytes, by: int) -> bytes:
    """The chunk, with a length that is wrong by so many bytes."""
    (length,) = struct.unpack(">I", made[:4])
    return struct.pack(">I", length + by) + made[4:]


TEXT = chunk(b"tEXt", b"Title\0a boat in the harbour")
BESIDE: dict[str, bytes] = {
    **{
        f"a {name.decode()} chunk with a wrong checksum": with_chunk(wrong(chunk(name, body)))
        for name, body in {
            b"tEXt": b"Title\0boat",
            b"zTXt": b"Title\0\0" + zlib.compress(b"boat"),
            b"iTXt": b"Title\0\0\0\0\0boat",
            b"pHYs": struct.pack(">IIB", 3000, 3000, 1),
            b"cHRM": struct.pack(">8I", *[30000] * 8),
            b"sRGB": b"\0",
            b"gAMA": struct.pack(">I", 45455),
            b"iCCP": b"sRGB\0\0" + zlib.compress(b"no profile"),
            b"eXIf": b"II*\0\x08\0\0\0\0\0",
            b"tIME": struct.pack(">H5B", 2024, 1, 1, 0, 0, 0),
            b"bKGD": bytes(6),
            b"prVt": b"somebody's own",
        }.items()
    },
    **{
        f"a {name.decode()} chunk that is too short": with_chunk(chunk(name, b"\0"))
        for name in (b"gAMA", b"cHRM", b"pHYs", b"tIME", b"iCCP", b"zTXt", b"iTXt", b"eXIf", b"acTL", b"fcTL", b"fdAT")
    },
    "an empty sRGB chunk": with_chunk(chunk(b"sRGB", b"")),
    "a transparency of one byte": with_chunk(chunk(b"tRNS", b"\0")),
    "a text packed by an unknown method": with_chunk(chunk(b"zTXt", b"Title\0\x01boat")),
    "a profile packed by an unknown method": with_chunk(chunk(b"iCCP", b"name\0\x07" + b"boat")),
    "a text that unpacks to 9 MB": with_chunk(chunk(b"zTXt", b"Title\0\0" + bomb(9))),
    "a text that unpacks to 9 MB behind the pixels": PNG[:-12] + chunk(b"zTXt", b"Title\0\0" + bomb(9)) + PNG[-12:],
    "a profile that unpacks to 100 MB": with_chunk(chunk(b"iCCP", b"name\0\0" + bomb())),
    "a text of 9 MB": with_chunk(chunk(b"tEXt", b"Title\0" + b"a" * 9_000_000)),
    "a hundred texts of 3 MB": with_chunk(*[chunk(b"zTXt", b"Title\0\0" + bomb(3))] * 100),
    "a text that is longer than it says": with_chunk(lengthened(TEXT, -3)),
    "a text that is shorter than it says": with_chunk(lengthened(TEXT, 5)),
    "a text that says it has 4 GB": with_chunk(lengthened(TEXT, 0xF0000000)),
    "an animation that lacks its pictures": with_chunk(
        chunk(b"acTL", struct.pack(">II", 5, 0)),
        chunk(b"fcTL", struct.pack(">5IHHBB", 7, 9999, 9999, 5, 5, 1, 1, 2, 1)),
    ),
    "an empty APP0": with_segment(0xE0, b""),
    "an APP0 with a length of nothing": with_segment(0xE0, b"", length=0),
    "an APP0 that is shorter than it says": with_segment(0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0", length=19),
    "an APP13 that is longer than it says": with_segment(0xED, b"Photoshop 3.0\0" + bytes(20), length=20),
    "IPTC that ends in its middle": with_segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04"),
    "a broken table of several pictures": with_segment(0xE2, b"MPF\0II*\0\x08\0\0\0" + b"\xff" * 30),
    "a profile of which a part is missing": with_segment(0xE2, b"ICC_PROFILE\0\x02\x03" + bytes(300)),
    "an empty profile": with_segment(0xE2, b"ICC_PROFILE\0\x01\x01"),
    "a profile of nothing but its name": with_segment(0xE2, b"ICC_PROFILE\0"),
    "EXIF that points into nothing": with_segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff"),
    "XMP that is no XML": with_segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta <<<"),
    "an Adobe segment that is too short": with_segment(0xEE, b"Adobe\0d"),
    "a comment that is longer than it says": with_segment(0xFE, b"boat" * 9, length=30),
}


@pytest.mark.parametrize("what", BESIDE)
def test_a_picture_with_something_broken_beside_it_is_what_it_is_without(what: str) -> None:
    picture = seen(BESIDE[what])
    sound = seen(PNG if picture.format == "PNG" else JPEG)
    assert "damaged" not in picture.facts
    assert (picture.width, picture.height) == (sound.width, sound.height)
    assert levels_apart(picture.clip, sound.clip) < 0.5


def test_what_is_sound_beside_something_broken_is_still_read() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F], exif[0x0110] = "Canon", "Canon EOS R5"
    packed = exif.tobytes()[6:]
    png = seen(with_chunk(wrong(TEXT), chunk(b"eXIf", packed)))
    broken = struct.pack(">BBH", 0xFF, 0xED, 24) + b"Photoshop 3.0\x008BIM\x04\x04\0\0"
    turned = encoded(quarters(), "JPEG", exif=exif.tobytes())
    jpeg = seen(turned[:2] + broken + turned[2:])
    for picture in (png, jpeg):
        assert (picture.width, picture.height) == (64, 96)
        assert picture.facts["camera"] == "Canon EOS R5"


def test_a_sound_profile_beside_something_broken_is_still_applied() -> None:
    data = encoded(quarters(), "PNG", icc_profile=rgb_profile(DISPLAY_P3))
    spoiled = data[:PNG_PLACE] + wrong(TEXT) + data[PNG_PLACE:]
    assert (seen(spoiled).clip == seen(data).clip).all()
    assert levels_apart(seen(data).clip, seen(PNG).clip) > 1


def avif(form: str, item: bytes) -> bytes:
    """A picture with EXIF in a box, the content of which is replaced."""
    exif = Image.Exif()
    exif[0x010F] = "a long name of a maker that is easily found"
    data = encoded(quarters(), form, exif=exif.tobytes())
    start = data.rindex(b"Exif\0\0") if b"Exif\0\0" in data else data.index(b"II*\0")
    return data[:start] + item + data[start + len(item) :]


@pytest.mark.parametrize("form", ["AVIF", "HEIF"])
@pytest.mark.parametrize("item", [b"\xff" * 12, bytes(12), b"Exif\0\0XX"], ids=["ones", "zeros", "no tiff"])
def test_an_odd_exif_item_is_no_damage(form: str, item: bytes) -> None:
    if form not in Image.SAVE:
        pytest.skip(f"this Pillow writes no {form}")
    picture = seen(avif(form, item))
    assert "damaged" not in picture.facts
    assert levels_apart(picture.clip, seen(encoded(quarters(), form)).clip) < 2


WEBP = encoded(quarters(), "WEBP", lossless=True, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0", xmp=b"<x/>", icc_profile=b"none")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data.replace(b"EXIF\x0a", b"EXIF\xff"),
        lambda data: data.replace(b"XMP \x04\0\0\0", b"XMP \xff\xff\xff\x7f"),
        lambda data: data.replace(b"ICCP\x04", b"ICCP\x09"),
        lambda data: data + b"tail of no meaning",
    ],
    ids=["EXIF too long", "XMP of 2 GB", "profile too long", "a tail"],
)
def test_broken_chunks_of_a_webp_are_no_damage(spoil: Callable[[bytes], bytes]) -> None:
    spoiled = spoil(WEBP)
    assert spoiled != WEBP
    picture = seen(spoiled)
    assert "damaged" not in picture.facts
    assert np.array_equal(picture.clip, seen(encoded(quarters(), "WEBP", lossless=True)).clip)
