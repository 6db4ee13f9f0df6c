"""AVIF: the size that the pixels claim: a decoder takes memory for it, whatever the boxes around them say."""

from collections.abc import Iterator

_REACH = 1 << 20
_SEQUENCE_HEADER, _TEMPORAL_DELIMITER = 1, 2


class Bits:
    """Reads numbers of any length; behind the end are zeros."""

    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def read(self, count: int) -> int:
        """The next so many bits as a number."""
        self._left -= count
        shifted = self._number >> self._left if self._left >= 0 else self._number << -self._left
        return shifted & ((1 << count) - 1)


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """The width and height of the largest item of an AVIF; None if none says its size."""
    sizes = [size for start in _items(data) if (size := _size_at(data, start)) is not None]
    return max(sizes, key=lambda size: size[0] * size[1], default=None)


def _items(data: bytes) -> Iterator[int]:
    """Where the items begin (ISO/IEC 14496-12, 8.11.3)."""
    place = data.find(b"iloc", 0, _REACH)
    if place < 0:
        return
    at = place + 8
    version, sizes = data[place + 4], data[at : at + 2].ljust(2, b"\0")
    offset_size, length_size, base_size = sizes[0] >> 4, sizes[0] & 15, sizes[1] >> 4
    index_size = sizes[1] & 15 if version else 0
    wide = 4 if version == 2 else 2
    at += 2
    count = int.from_bytes(data[at : at + wide], "big")
    at += wide
    # Items may stand in a box of their own instead of the file.
    inner = data.find(b"idat", 0, _REACH) + 4

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at], "big")

    for _ in range(count):
        if at >= len(data):
            return
        number(wide)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        for place in range(number(2)):
            number(index_size)
            start = base + number(offset_size)
            number(length_size)
            if place == 0:
                yield start + (inner if method == 1 else 0)
            if at >= len(data):
                return


def _size_at(data: bytes, at: int) -> tuple[int, int] | None:
    """The size in a sequence header among the first units that begin here (AV1 specification, 5.3)."""
    for _ in range(4):
        if at >= len(data):
            return None
        kind, has_more, has_size = data[at] >> 3 & 15, data[at] & 4, data[at] & 2
        at += 2 if has_more else 1
        length = shift = 0
        while has_size:
            byte = data[at] if at < len(data) else 0
            length, shift, at = length | (byte & 127) << shift, shift + 7, at + 1
            if byte < 128 or shift > 28:
                break
        if kind == _SEQUENCE_HEADER:
            return _size_in(Bits(data[at : at + 64]))
        if kind != _TEMPORAL_DELIMITER and not has_size:
            return None
        at += length
    return None


def _size_in(bits: Bits) -> tuple[int, int]:
    """The largest width and height in a sequence header (AV1 specification, 5.5.1)."""
    bits.read(4)
    if bits.read(1):  # a still picture says less
        bits.read(5)
    else:
        _pass_over_times(bits)
    width, height = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width) + 1, bits.read(height) + 1


def _pass_over_times(bits: Bits) -> None:
    delay = 0
    if bits.read(1):
        bits.read(64)
        if bits.read(1):
            zeros = 0
            while zeros < 32 and not bits.read(1):
                zeros += 1
            bits.read(zeros)
        if bits.read(1):
            delay = bits.read(5) + 1
            bits.read(42)
    is_delayed = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay and bits.read(1):
            bits.read(2 * delay + 1)
        if is_delayed and bits.read(1):
            bits.read(4)
