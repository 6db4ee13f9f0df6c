"""IPTC-IIM: the data sets of its blocks, alone or among the resources of Photoshop."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

# Data sets of IPTC-IIM 4.2: coded character set, object name, keywords, date and time created, caption.
CHARSET, TITLE, KEYWORDS, DATE, TIME, CAPTION = (1, 90), (2, 5), (2, 25), (2, 55), (2, 60), (2, 120)
_UTF8 = b"\x1b%G"
_PHOTOSHOP, _RESOURCE, _RESOURCE_OF_IPTC = b"Photoshop 3.0\0", b"8BIM", 0x0404
_MARKER = 0x1C


@dataclass(frozen=True)
class Iptc:
    """Data set, as (record, number), to its values; none of them is empty."""

    data_sets: Mapping[tuple[int, int], list[str]] = field(default_factory=dict)

    def text(self, key: tuple[int, int]) -> str:
        """The first value of a data set, "" for none."""
        return next(iter(self.data_sets.get(key, ())), "")

    def texts(self, key: tuple[int, int]) -> list[str]:
        """All values of a data set."""
        return list(self.data_sets.get(key, ()))


def parse(block: bytes) -> Iptc:
    """The data sets of a block, up to where it breaks."""
    block = block.removeprefix(_PHOTOSHOP)
    if block.startswith(_RESOURCE):
        block = _among_resources(block)
    raw = list(_data_sets(block))
    utf8 = any(key == CHARSET and value == _UTF8 for key, value in raw)
    found: dict[tuple[int, int], list[str]] = {}
    for key, value in raw:
        if text := _decoded(value, utf8).strip("\0 \r\n\t"):
            found.setdefault(key, []).append(text)
    return Iptc(found)


def _among_resources(block: bytes) -> bytes:
    """The IPTC among the resources of Photoshop: signature, number, name and data, each padded to an even length."""
    at = 0
    while block[at : at + 4] == _RESOURCE:
        number = int.from_bytes(block[at + 4 : at + 6], "big")
        at += 6 + (block[at + 6 : at + 7] or b"\0")[0] // 2 * 2 + 2
        length = int.from_bytes(block[at : at + 4], "big")
        if number == _RESOURCE_OF_IPTC:
            return block[at + 4 : at + 4 + length]
        at += 4 + length + length % 2
    return b""


def _data_sets(block: bytes) -> Iterator[tuple[tuple[int, int], bytes]]:
    at = max(0, block.find(_MARKER))
    while at + 5 <= len(block) and block[at] == _MARKER:
        record, number, length = block[at + 1], block[at + 2], int.from_bytes(block[at + 3 : at + 5], "big")
        at += 5
        if length & 0x8000:
            # Of a long value the length itself has a length.
            digits = length & 0x7FFF
            length = int.from_bytes(block[at : at + digits], "big") if digits <= 8 else len(block)
            at += digits
        yield (record, number), block[at : at + length]
        at += length


def _decoded(value: bytes, utf8: bool) -> str:
    # Few old programs wrote the character set; UTF-8 is recognised by its bytes, the others are mostly cp1252.
    with suppress(UnicodeDecodeError):
        return value.decode("utf-8")
    return value.decode("utf-8" if utf8 else "cp1252", "replace")
