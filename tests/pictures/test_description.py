"""Title, description and keywords from XMP and IPTC: what people wrote is kept, what attackers wrote does no harm."""

import struct
import tracemalloc
from collections.abc import Sequence
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from pictures.metadata import MAX_KEYWORDS, MAX_XMP_BYTES
from tests.pictures.made.described import FULL, WRITTEN, xmp
from tests.pictures.made.pictures import FORMATS, encoded, quarters, seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

CHARSET, TITLE, KEYWORD, CAPTION = (1, 90), (2, 5), (2, 25), (2, 120)


def with_xmp(packet: bytes, form: str = "JPEG") -> dict[str, Any]:
    """The facts of a picture with this packet."""
    if form == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8", "replace"), zip=True)
        return seen(encoded(quarters(), form, pnginfo=text)).facts
    options = {"tiffinfo": {700: packet}} if form == "TIFF" else {"xmp": packet}
    return seen(encoded(quarters(), form, **options)).facts


def with_iptc(records: Sequence[tuple[tuple[int, int], bytes]], packet: bytes = b"") -> dict[str, Any]:
    """The facts of a JPEG with these IPTC data sets, and perhaps XMP."""
    block = b"".join(struct.pack(">BBBH", 0x1C, *key, len(value)) + value for key, value in records)
    resource = b"8BIM" + struct.pack(">HHI", 0x0404, 0, len(block)) + block + bytes(len(block) % 2)
    segment = b"Photoshop 3.0\0" + resource
    marker = b"\xff\xed" + struct.pack(">H", len(segment) + 2) + segment
    return seen(encoded(quarters(), "JPEG", extra=marker, **({"xmp": packet} if packet else {}))).facts


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("GIF", "BMP")])
def test_title_description_and_keywords_are_read_from_xmp(form: str) -> None:
    assert with_xmp(FULL, form) == WRITTEN


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_they_are_read_from_iptc_in_the_old_characters_and_the_new(encoding: str) -> None:
    declared = [(CHARSET, b"\x1b%G")] if encoding == "utf-8" else []
    words = [(KEYWORD, "née".encode(encoding)), (KEYWORD, b"owl")]
    found = with_iptc([*declared, (TITLE, "Käuze".encode(encoding)), (CAPTION, b"An owl"), *words])
    assert found == {"title": "Käuze", "description": "An owl", "keywords": ["née", "owl"]}


def test_xmp_wins_over_iptc_field_by_field() -> None:
    title = xmp("<dc:title><rdf:Alt><rdf:li>new</rdf:li></rdf:Alt></dc:title>")
    assert with_iptc([(TITLE, b"old"), (CAPTION, b"only here")], title) == {"title": "new", "description": "only here"}


def test_one_word_is_a_list_too_and_none_is_left_out() -> None:
    assert with_xmp(xmp("<dc:subject><rdf:Bag><rdf:li>owl</rdf:li></rdf:Bag></dc:subject>")) == {"keywords": ["owl"]}
    assert with_xmp(xmp("<dc:subject><rdf:Bag/></dc:subject><dc:title><rdf:Alt/></dc:title>")) == {}


def test_what_goes_on_without_end_is_cut() -> None:
    words = "".join(f"<rdf:li>word {number}</rdf:li>" for number in range(2 * MAX_KEYWORDS))
    found = with_xmp(xmp(f"<dc:subject><rdf:Bag>{words}</rdf:Bag></dc:subject>"), "PNG")
    assert len(found["keywords"]) == MAX_KEYWORDS


LAUGHS = "".join(f'<!ENTITY l{level + 1} "{f"&l{level};" * 10}">' for level in range(12))
HOSTILE = {
    "billion laughs": xmp("<dc:title>&l12;</dc:title>", f'<!DOCTYPE x [<!ENTITY l0 "ha">{LAUGHS}]>'),
    "a file of this machine": xmp("<dc:title>&f;</dc:title>", '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'),
    "fifty megabytes": xmp("<dc:title><rdf:Alt><rdf:li>" + "a" * 50_000_000 + "</rdf:li></rdf:Alt></dc:title>"),
    "a deep nest": xmp("<a>" * 200_000 + "</a>" * 200_000),
    "a deep nest of allowed size": xmp("<a>" * (MAX_XMP_BYTES // 8) + "</a>" * (MAX_XMP_BYTES // 8)),
    "cut off": FULL[:-40],
    "no xml": b"\0\xff\xfe" * 90,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_packet_costs_little_and_the_picture_is_read(kind: str) -> None:
    data = encoded(quarters(), "TIFF", tiffinfo={700: HOSTILE[kind]})
    tracemalloc.start()
    picture = seen(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (picture.width, picture.facts) == (96, {})
    # The bytes of the packet itself may be copied, and a tree be built of a packet of the largest size that is read.
    assert peak < 4 * len(data) + 60_000_000


@settings(max_examples=150, deadline=None, derandomize=True)
@given(changes=st.lists(st.tuples(st.integers(0, len(FULL) - 1), st.integers(0, 255)), max_size=6),
       end=st.integers(0, len(FULL)))  # fmt: skip
def test_no_packet_however_damaged_loses_a_picture_or_spoils_its_message(
    changes: list[tuple[int, int]], end: int
) -> None:
    packet = bytearray(FULL)
    for place, value in changes:
        packet[place] = value
    found = with_xmp(bytes(packet) if end % 2 else bytes(packet[:end]))
    assert msgpack.unpackb(msgpack.packb(found)) == found


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.tuples(st.integers(0, 9), st.sampled_from((5, 25, 90, 120))), st.binary(max_size=40)), max_size=8
    )
)
def test_no_iptc_however_strange_loses_a_picture_or_spoils_its_message(
    records: list[tuple[tuple[int, int], bytes]],
) -> None:
    found = with_iptc(records)
    assert msgpack.unpackb(msgpack.packb(found)) == found


def test_a_picture_of_which_nobody_wrote_anything_has_no_such_facts() -> None:
    assert seen(encoded(Image.new("RGB", (64, 64)), "JPEG")).facts == {}
