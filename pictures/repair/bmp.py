"""BMP: counts the rows of a picture that is cut off."""

import struct

from pictures.repair.remains import Remains

_UNPACKED = (0, 3)


def remains(data: bytes) -> Remains | None:
    """What is there of a BMP that ends early; None where that cannot be told."""
    if len(data) < 34:
        return None
    offset, header, width, height, _, bits, packing = struct.unpack("<IIiiHHI", data[10:34])
    if header < 40 or packing not in _UNPACKED or width <= 0 or not height or not bits:
        return None
    wanted = (width * bits + 31) // 32 * 4 * abs(height)
    there = max(0, len(data) - offset)
    return Remains(data, there / wanted) if there < wanted else None
