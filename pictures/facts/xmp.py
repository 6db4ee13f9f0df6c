"""XMP: the packet, whatever stands around it and however it is encoded, and the properties in it."""

import codecs
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from defusedxml import ElementTree

# A megabyte holds years of editing history; reading a larger packet could cost more than the picture.
MAX_BYTES = 1_000_000

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_LISTS = {f"{_RDF}Alt", f"{_RDF}Bag", f"{_RDF}Seq"}
_NAMESPACES = {
    "http://purl.org/dc/elements/1.1/": "dc",
    "http://ns.adobe.com/xap/1.0/": "xmp",
    "http://ns.adobe.com/exif/1.0/": "exif",
    "http://ns.adobe.com/exif/1.0/aux/": "aux",
    "http://cipa.jp/exif/1.0/": "exifEX",
    "http://ns.adobe.com/tiff/1.0/": "tiff",
    "http://ns.adobe.com/photoshop/1.0/": "photoshop",
    "http://ns.adobe.com/lightroom/1.0/": "lr",
    "http://ns.microsoft.com/photo/1.0/": "MicrosoftPhoto",
    "http://ns.microsoft.com/photo/1.0": "MicrosoftPhoto",
    "http://darktable.sf.net/": "darktable",
}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# No XML may hold them, yet some files do; a parser would end at the first one.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


@dataclass(frozen=True)
class Xmp:
    """Property, as `dc:title`, to its values: the language ("" for none) and the text of each."""

    properties: Mapping[str, list[tuple[str, str]]] = field(default_factory=dict)

    def text(self, *names: str) -> str:
        """The text of the first of these properties that has one, in the default language where there are several."""
        for name in names:
            texts = [(language, text) for language, text in self.properties.get(name, ()) if text.strip()]
            if texts:
                return next((text for language, text in texts if language == "x-default"), texts[0][1])
        return ""

    def texts(self, name: str) -> list[str]:
        """All texts of a property."""
        return [text for _, text in self.properties.get(name, ())]

    def or_else(self, other: "Xmp") -> "Xmp":
        """These properties, and those of another packet that are not among them."""
        return Xmp({**other.properties, **self.properties})


def parse(packet: object) -> Xmp:
    """The properties of a packet; none for what is no packet, is broken, too large, or declares entities."""
    if isinstance(packet, str):
        packet = packet.encode("utf-8", "replace")
    if not isinstance(packet, bytes) or not 0 < len(packet) <= MAX_BYTES:
        return Xmp()
    with suppress(Exception):
        text = _inner(packet.decode(_encoding(packet), "replace"))
        return Xmp(_properties(ElementTree.fromstring(_NO_XML.sub("", text), forbid_dtd=True)))
    return Xmp()


def _encoding(packet: bytes) -> str:
    """The encoding of a packet by its mark, or by where the zeros around its first < are."""
    for mark, encoding in _MARKS:
        if packet.startswith(mark):
            return encoding
    if (at := packet.find(b"<\0\0\0")) >= 0:
        return "utf-32-be" if at % 4 == 3 else "utf-32-le"
    if (at := packet.find(b"<\0")) >= 0:
        return "utf-16-be" if at % 2 else "utf-16-le"
    return "utf-8"


def _inner(text: str) -> str:
    """The outermost element of XMP, without the junk that programs leave before and behind it."""
    for name in ("xmpmeta", "xapmeta", "RDF"):
        start = re.search(rf"<(\w+:)?{name}[\s>]", text)
        if start is None:
            continue
        closing = f"</{start[1] or ''}{name}"
        # The first one: a program that shortens a packet leaves the end of the longer one behind it.
        end = text.find(closing, start.end())
        if end >= 0:
            return text[start.start() : end] + closing + ">"
    return ""


def _properties(root: Element) -> dict[str, list[tuple[str, str]]]:
    """The properties of the picture itself: what describes others, like those that it was made of, is deeper."""
    found: dict[str, list[tuple[str, str]]] = {}
    rdf = root if root.tag == f"{_RDF}RDF" else root.find(f"{_RDF}RDF")
    for description in rdf if rdf is not None else ():
        if description.tag != f"{_RDF}Description":
            continue
        named = [(key, [("", text)]) for key, text in description.attrib.items()]
        for key, texts in [*named, *((child.tag, _texts(child)) for child in description)]:
            namespace, _, name = key.removeprefix("{").partition("}")
            if namespace in _NAMESPACES:
                found.setdefault(f"{_NAMESPACES[namespace]}:{name}", texts)
    return found


def _texts(element: Element) -> list[tuple[str, str]]:
    """The values of a property: the items of its list, or else its own text."""
    items = [item for child in element if child.tag in _LISTS for item in child if item.tag == f"{_RDF}li"]
    return [(item.get(_LANG, ""), _text(item)) for item in items or [element]]


def _text(element: Element) -> str:
    qualified = element.find(f".//{_RDF}value")
    return (element.text if qualified is None else qualified.text) or ""
