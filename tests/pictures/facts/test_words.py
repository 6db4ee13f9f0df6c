"""Title, description, keywords, stars and label: what people wrote is kept, what attackers wrote does no harm."""

import tracemalloc
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from pictures.facts.words import MAX_KEYWORDS
from pictures.facts.xmp import MAX_BYTES as MAX_XMP_BYTES
from tests.pictures.facts.written import (
    CAPTION,
    CHARSET,
    KEYWORD,
    TITLE,
    exif_block,
    jpeg,
    png,
    with_exif,
    with_iptc,
    with_xmp,
)
from tests.pictures.made.described import FULL, WRITTEN, xmp
from tests.pictures.made.pictures import FORMATS, encoded, quarters, seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

BASE = ExifTags.Base


@pytest.mark.parametrize("form", [form for form in FORMATS if form != "BMP"])
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


def windows(text: str) -> bytes:
    return (text + "\0").encode("utf-16-le")


def test_an_empty_field_of_iptc_hides_no_other() -> None:
    assert with_iptc([(TITLE, b""), (KEYWORD, b""), (KEYWORD, b"boat"), (CAPTION, b"Sea")]) == {
        "description": "Sea",
        "keywords": ["boat"],
    }


def test_exif_is_read_after_xmp_and_iptc() -> None:
    tags = {
        BASE.ImageDescription: "Close up of orange flower",
        BASE.XPTitle: windows("Blume"),
        BASE.XPComment: windows("Kommentar"),
        BASE.XPKeywords: windows("Blume; Garten ;;Blume"),
    }
    told = {"title": "Blume", "description": "Close up of orange flower", "keywords": ["Blume", "Garten"]}
    assert with_exif(tags) == told
    assert seen(jpeg(exif_block(tags), iptc=[(TITLE, b"Flower"), (CAPTION, b"Red")])).facts == told | {
        "title": "Flower",
        "description": "Red",
    }
    del tags[BASE.ImageDescription]
    assert with_exif(tags)["description"] == "Kommentar"
    assert with_exif({BASE.XPSubject: windows("Betreff")}) == {"description": "Betreff"}


def test_the_version_of_a_drone_is_no_description_and_no_keyword() -> None:
    version = windows("0.9.142")
    assert with_exif({BASE.ImageDescription: "default", BASE.XPComment: version, BASE.XPKeywords: version}) == {}


@pytest.mark.parametrize("written", ["née", "京都の紅葉"])
def test_a_description_in_utf_8_is_no_garbage(written: str) -> None:
    assert with_exif({BASE.ImageDescription: written.encode()}) == {"description": written}
    assert with_exif({BASE.ImageDescription: b"ASCII\0\0\0" + written.encode()}) == {"description": written}


@pytest.mark.parametrize(
    "written",
    [
        *("OLYMPUS DIGITAL CAMERA", "SONY DSC", "DCIM", "KODAK DIGITAL STILL CAMERA", "SAMSUNG", "dav", "hdr"),
        *("MINOLTA DIGITAL CAMERA", "Digital StillCamera", "<KENOX S760  / Samsung S760>", "Exif_JPEG_PICTURE", "   "),
        *("DCIM\\100MEDIA\\DJI_0001.JPG", "ASCII\0\0\0", "default", "...", "\0\0\0\0", "LEAD Technologies Inc. V1.01"),
    ],
)
def test_what_a_camera_wrote_of_itself_is_no_description(written: str) -> None:
    assert with_exif({BASE.ImageDescription: written, BASE.Model: "X"}) == {"camera": "X"}
    assert with_exif({BASE.ImageDescription: written, BASE.XPComment: windows("Sea")})["description"] == "Sea"


@pytest.mark.parametrize("written", ["Sony and Nikon at the sea", "My camera", "<b>Sea</b>", "Samsung 5", "京都"])
def test_what_a_person_wrote_is_a_description(written: str) -> None:
    assert with_exif({BASE.ImageDescription: written.encode()})["description"] == written


def test_a_description_that_a_program_copied_from_a_camera_is_none() -> None:
    packet = xmp("<dc:description>OLYMPUS DIGITAL CAMERA</dc:description><dc:title>Camera</dc:title>")
    assert with_xmp(packet) == {"title": "Camera"}
    assert with_iptc([(CAPTION, b"SONY DSC"), (TITLE, b"Sea")]) == {"title": "Sea"}


def test_of_keywords_below_others_the_last_part_is_one() -> None:
    packet = xmp(
        "<dc:subject><rdf:Bag><rdf:li>sea</rdf:li></rdf:Bag></dc:subject><lr:hierarchicalSubject><rdf:Bag>"
        "<rdf:li>Places|Europe|Paris</rdf:li><rdf:li>sea</rdf:li></rdf:Bag></lr:hierarchicalSubject>"
    )
    assert with_xmp(packet) == {"keywords": ["sea", "Paris"]}


def test_title_and_description_of_a_png_are_its_texts() -> None:
    texts = ((b"tEXt", b"Title\0H\xe4fen"), (b"iTXt", "Description\0\0\0\0\0Ein Boot, né".encode()))
    assert seen(png(*texts)).facts == {"title": "Häfen", "description": "Ein Boot, né"}


@pytest.mark.parametrize(
    ("inside", "told"),
    [
        ("<xmp:Rating>4</xmp:Rating><xmp:Label>Red</xmp:Label>", {"rating": 4, "label": "Red"}),
        ("<xmp:Rating>5.0</xmp:Rating>", {"rating": 5}),
        ("<xmp:Rating>-1</xmp:Rating>", {"rating": -1}),
        ("<xmp:Rating>0</xmp:Rating>", {}),
        ("<xmp:Rating>17</xmp:Rating>", {}),
        ("<xmp:Rating>many</xmp:Rating>", {}),
        ("<xmp:Rating>nan</xmp:Rating>", {}),
        ("<MicrosoftPhoto:Rating>75</MicrosoftPhoto:Rating>", {"rating": 4}),
        ("<darktable:colorlabels><rdf:Seq><rdf:li>3</rdf:li></rdf:Seq></darktable:colorlabels>", {"label": "Blue"}),
        ("<xmp:Label>  </xmp:Label>", {}),
    ],
)
def test_stars_and_the_colour_of_a_label_are_read(inside: str, told: dict[str, Any]) -> None:
    assert with_xmp(xmp(inside)) == told


def test_stars_are_read_from_exif_and_from_windows() -> None:
    assert with_exif({0x4746: 3}) == {"rating": 3}
    for percent, stars in ((1, 1), (25, 2), (50, 3), (75, 4), (99, 5)):
        assert with_exif({0x4749: percent}) == {"rating": stars}


def test_nothing_that_steers_a_terminal_gets_into_a_fact() -> None:
    sly = "a\x1b[31mred\x07 \x9b2J b\u202etxt\u2066"
    packet = xmp(f"<dc:title>{sly.replace(chr(27), '').replace(chr(7), '')}</dc:title>")
    assert with_xmp(packet) == {"title": "ared 2J btxt".replace("ared", "a[31mred")}
    told = with_exif({BASE.Make: "Evil", BASE.Model: sly.encode(), BASE.ImageDescription: sly.encode()})
    assert told == {"camera": "Evil a[31mred 2J btxt", "description": "a[31mred 2J btxt"}


def test_a_picture_of_which_nobody_wrote_anything_has_no_such_facts() -> None:
    assert seen(encoded(Image.new("RGB", (64, 64)), "JPEG")).facts == {}
