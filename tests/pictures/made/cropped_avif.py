"""An AVIF with a clean aperture, which no encoder at hand writes: the box is put into a finished file."""

import struct


def with_crop(data: bytes, width: int, height: int, right: int, down: int) -> bytes:
    """The file with a crop to this size, whose middle is so many half pixels away from that of the picture."""
    crop = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, right % 2**32, 2, down % 2**32, 2)
    ipco, ipma = data.index(b"ipco") - 4, data.index(b"ipma") - 4
    (ipco_size,), (ipma_size,) = (struct.unpack_from(">I", data, at) for at in (ipco, ipma))
    # One more property, and the main picture, which is the first, has it.
    count = data.count(b"ispe", ipco, ipma) and len(_names(data, ipco + 8, ipco + ipco_size)) + 1
    places = ipma + 8 + 4 + 4 + 2
    head = data[:ipco] + struct.pack(">I", ipco_size + 40) + data[ipco + 4 : ipco + ipco_size] + crop
    table = data[ipco + ipco_size : places] + bytes([data[places] + 1])
    after = places + 1 + data[places]
    whole = bytearray(head + table + data[places + 1 : after] + bytes([count | 0x80]) + data[after:])
    grown = 41
    for name in (b"meta", b"iprp"):
        at = data.index(name) - 4
        struct.pack_into(">I", whole, at, struct.unpack_from(">I", data, at)[0] + grown)
    struct.pack_into(">I", whole, ipma + 40, ipma_size + 1)
    # The offsets of the pixels, which lie behind all of this.
    start, offset = data.index(b"mdat") + 4, data.index(b"iloc")
    place = data.index(struct.pack(">I", start), offset)
    struct.pack_into(">I", whole, place, start + grown)
    return bytes(whole)


def _names(data: bytes, start: int, end: int) -> list[bytes]:
    names = []
    while start < end:
        names.append(data[start + 4 : start + 8])
        start += int.from_bytes(data[start : start + 4], "big")
    return names
