"""All facts of a picture: of each field the source that says it best, and nothing where none says it well."""

from contextlib import suppress
from typing import Any

from pictures.facts.blocks import Blocks, blocks_of, may_have_blocks
from pictures.facts.camera import camera_facts
from pictures.facts.exif import Tags
from pictures.facts.iptc import Iptc
from pictures.facts.iptc import parse as parse_iptc
from pictures.facts.place import place_of_exif, place_of_xmp
from pictures.facts.times import taken
from pictures.facts.words import word_facts
from pictures.facts.xmp import Xmp
from pictures.facts.xmp import parse as parse_xmp
from pictures.formats import RAW_EXTENSIONS, RAW_KINDS
from pictures.picture import Sidecar
from pictures.signature import format_of


def read_facts(data: bytes, sidecar: Sidecar | None = None) -> dict[str, Any]:
    """The facts of a file, and of the sidecar beside it, under their names in the payload.

    A fact that is missing, unreadable or impossible is left out: broken metadata are no reason to refuse a picture.
    What people note (time, place, words, stars) the sidecar says best, what the camera notes EXIF does.
    """
    format_name = format_of(data)
    # Looking for each field in nothing would take longer than decoding a small picture.
    if sidecar is None and format_name == "JPEG" and not may_have_blocks(data):
        return {}
    blocks, beside = Blocks(), Xmp()
    with suppress(Exception):  # whatever a broken file makes Pillow raise
        blocks = blocks_of(data, format_name)
    if sidecar is not None:
        beside = _of_this_picture(parse_xmp(sidecar.data), format_name)
    elif not (len(blocks.exif) or any(blocks.xmp) or blocks.iptc or blocks.texts):
        return {}
    tags = Tags(blocks.exif)
    xmp, iptc = Xmp(), Iptc()
    for packet in blocks.xmp:
        xmp = xmp.or_else(parse_xmp(packet))
    for block in blocks.iptc:
        iptc = parse_iptc(block) if not iptc.data_sets else iptc
    facts: dict[str, Any] = {}
    for read in (
        lambda: moment.facts() if (moment := taken(tags, xmp, beside, iptc, blocks.texts)) else {},
        lambda: camera_facts(tags, xmp.or_else(beside)),
        lambda: {"gps": place_of_xmp(beside) or place_of_exif(tags) or place_of_xmp(xmp)},
        lambda: word_facts(tags, [beside, xmp], iptc, blocks.texts),
    ):
        with suppress(Exception):
            facts |= read()
    return {name: value for name, value in facts.items() if value}


def _of_this_picture(sidecar: Xmp, format_name: str | None) -> Xmp:
    """The sidecar, unless it belongs to another: beside IMG.CR2 and IMG.JPG Lightroom says to which IMG.xmp does."""
    extension = sidecar.text("photoshop:SidecarForExtension").strip().lower()
    is_raw = format_name in RAW_KINDS
    return sidecar if not extension or (f".{extension}" in RAW_EXTENSIONS) == is_raw else Xmp()
