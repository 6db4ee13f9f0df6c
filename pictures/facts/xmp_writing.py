"""Writes what Darkroom knows into a sidecar: one block of its own, and every other byte of the file as it is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from pictures.facts.xmp import parse

# A name, not an address: what stands below it is Darkroom's and is replaced, all else is somebody's.
NAMESPACE = "https://darkroom.invalid/xmp/1.0/"
_OPENING = f'<rdf:Description rdf:about="" xmlns:darkroom="{NAMESPACE}" darkroom:block="1"'
_BLOCK = re.compile(rf"[ \t]*{re.escape(_OPENING)}.*?</rdf:Description>\n?", re.DOTALL)
_END = re.compile(r"[ \t]*</(\w+:)?RDF\s*>")
_EMPTY = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""
_PREFIXES = (
    ("rdf", "http://www.w3.org/1999/02/22-rdf-syntax-ns#"),
    ("dc", "http://purl.org/dc/elements/1.1/"),
    ("photoshop", "http://ns.adobe.com/photoshop/1.0/"),
)
# What no XML may hold.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

# A property, like "dc:subject", to its text or to its list of texts.
Properties = Mapping[str, str | Sequence[str]]


class NotWritable(Exception):
    """A sidecar cannot be added to; the message is the reason."""


@dataclass(frozen=True)
class Sidecar:
    """A sidecar as it was read: `own` are the properties that Darkroom has written, `foreign` those of others."""

    text: str
    own: dict[str, str | list[str]]
    foreign: frozenset[str]


def read(data: bytes | None) -> Sidecar:
    """The sidecar of these bytes, a new one for None; raises NotWritable for what is no XMP in UTF-8."""
    try:
        text = _EMPTY if data is None else data.decode("utf-8")
    except UnicodeDecodeError:
        raise NotWritable("it is not written in UTF-8") from None
    ends = _END.findall(text)
    if len(ends) != 1:
        raise NotWritable("it is no XMP that can be added to")
    block = _BLOCK.search(text)
    foreign = frozenset(parse(_BLOCK.sub("", text).encode()).properties)
    if data is not None and not foreign and block is None and "Description" in text:
        raise NotWritable("it is damaged, or says nothing that is known here")
    return Sidecar(text, _properties(block[0]) if block else {}, foreign)


def _properties(block: str) -> dict[str, str | list[str]]:
    packet = f'<rdf:RDF xmlns:rdf="{_PREFIXES[0][1]}">{block}</rdf:RDF>'
    found = parse(packet.encode())
    lists = {name: found.texts(name) for name in found.properties}
    return {name: texts if name == "dc:subject" else found.text(name) for name, texts in lists.items()}


def with_block(sidecar: Sidecar, properties: Properties) -> bytes:
    """The bytes of the sidecar with a block of these properties in the place of the one before; no block for none."""
    text = _BLOCK.sub("", sidecar.text)
    if properties:
        end = _END.search(text)
        assert end is not None, "read() has looked for it"
        text = f"{text[: end.start()]}{_block(properties)}{text[end.start() :]}"
    return text.encode()


def _block(properties: Properties) -> str:
    prefixes = "".join(f' xmlns:{prefix}="{name}"' for prefix, name in _PREFIXES)
    lines = [f"  {_OPENING}{prefixes}>"]
    for name, value in properties.items():
        if not isinstance(value, str):
            items = "".join(f"<rdf:li>{_escaped(text)}</rdf:li>" for text in value)
            lines.append(f"   <{name}><rdf:Bag>{items}</rdf:Bag></{name}>")
        elif name.startswith("dc:"):
            text = f'<rdf:li xml:lang="x-default">{_escaped(value)}</rdf:li>'
            lines.append(f"   <{name}><rdf:Alt>{text}</rdf:Alt></{name}>")
        else:
            lines.append(f"   <{name}>{_escaped(value)}</{name}>")
    return "\n".join([*lines, "  </rdf:Description>\n"])


def _escaped(text: str) -> str:
    return escape(_NO_XML.sub("", text))
