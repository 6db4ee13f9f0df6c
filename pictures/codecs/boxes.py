"""The boxes of ISO base media files (ISO/IEC 14496-12): HEIF, AVIF, JPEG XL."""

import struct
from collections.abc import Iterator
from typing import NamedTuple


class Box(NamedTuple):
    """The name of a box, and where its content begins and ends."""

    name: bytes
    start: int
    end: int


def boxes(data: bytes, start: int, end: int) -> Iterator[Box]:
    """The boxes of this part of the data, up to the first one that cannot be."""
    while start + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, start)
        begin = start + 8
        if size == 1 and begin + 8 <= end:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        stop = end if size == 0 else start + size
        if stop < begin:
            return
        yield Box(name, begin, min(stop, end))
        start = stop


def properties_of_main(data: bytes) -> dict[bytes, Box]:
    """The properties of the main picture of a HEIF or AVIF by name, as far as they can be read."""
    try:
        meta = next(box for box in boxes(data, 0, len(data)) if box.name == b"meta")
        inside = {box.name: box for box in boxes(data, meta.start + 4, meta.end)}
        main = inside[b"pitm"].start
        number = int.from_bytes(data[main + 4 :][: 2 if data[main] == 0 else 4], "big")
        parts = {box.name: box for box in boxes(data, inside[b"iprp"].start, inside[b"iprp"].end)}
        known = list(boxes(data, parts[b"ipco"].start, parts[b"ipco"].end))
        places = _places(data, parts[b"ipma"], number)
        return {known[place - 1].name: known[place - 1] for place in places if 0 < place <= len(known)}
    except (KeyError, StopIteration, struct.error, IndexError):  # the decoder will say what is wrong with it
        return {}


def _places(data: bytes, box: Box, item: int) -> list[int]:
    """The places in the list of properties of those that belong to this item (ISO/IEC 23008-12, 9.3)."""
    version, flags = data[box.start], int.from_bytes(data[box.start + 1 : box.start + 4], "big")
    (count,) = struct.unpack_from(">I", data, box.start + 4)
    at, id_bytes = box.start + 8, 2 if version == 0 else 4
    place_bytes, mask = (2, 0x7FFF) if flags & 1 else (1, 0x7F)
    for _ in range(count):
        if at >= box.end:
            break
        number = int.from_bytes(data[at : at + id_bytes], "big")
        start = at + id_bytes + 1
        at = start + data[start - 1] * place_bytes
        if number == item:
            found = range(start, min(at, box.end), place_bytes)
            return [int.from_bytes(data[each : each + place_bytes], "big") & mask for each in found]
    return []
