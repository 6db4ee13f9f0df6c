"""A TIFF written by hand, in any layout: the sample values are given as they stand in the file."""

import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.generic]
UNPACKED, LZW, DEFLATE, PACKBITS, OLD_DEFLATE, LZMA, ZSTD, WEBP = 1, 5, 8, 32773, 32946, 34925, 50000, 50001
PACKERS: dict[int, Callable[[bytes], bytes]] = {
    UNPACKED: bytes,
    LZW: lambda data: bytes(imagecodecs.lzw_encode(data)),
    DEFLATE: zlib.compress,
    OLD_DEFLATE: zlib.compress,
    PACKBITS: lambda data: bytes(imagecodecs.packbits_encode(data)),
    LZMA: lambda data: bytes(imagecodecs.lzma_encode(data)),
    ZSTD: lambda data: bytes(imagecodecs.zstd_encode(data)),
}
# SampleFormat: unsigned, signed, float.
FORMATS = {"u": 1, "i": 2, "f": 3}
_BYTE, _ASCII, _SHORT, _LONG, _FLOAT, _DOUBLE, _LONG8 = 1, 2, 3, 4, 11, 12, 16
_CODES = {_BYTE: "B", _SHORT: "H", _LONG: "I", _FLOAT: "f", _DOUBLE: "d", _LONG8: "Q"}


@dataclass(frozen=True)
class Tiff:
    """How a TIFF is laid out; `rows` are those of a strip, or the side of a tile; 0 is one strip for all."""

    photometric: int
    bits: int
    letter: str = "u"
    order: Literal["<", ">"] = "<"
    big: bool = False
    planar: bool = False
    tiled: bool = False
    rows: int = 0
    packing: int = UNPACKED
    predictor: int = 1
    extra: tuple[int, ...] = ()
    fill_order: int = 1
    colour_map: tuple[int, ...] = ()
    more: tuple[tuple[int, int, tuple[float, ...]], ...] = ()
    directory_first: bool = False

    def file(self, samples: Samples, packer: Callable[[Samples], bytes] | None = None) -> bytes:
        """The bytes of a file with these samples, (height, width) or (height, width, channels).

        `packer` packs a whole segment where the packing is that of another picture format.
        """
        values = samples[..., None] if samples.ndim == 2 else samples
        height, width, channels = values.shape
        segments = [
            (packer or self._packed)(segment)
            for plane in ([values[..., [each]] for each in range(channels)] if self.planar else [values])
            for segment in self._segments(plane)
        ]
        body = b"".join(segments)
        body += bytes(len(body) % 2)
        start = 16 if self.big else 8
        at = start if self.directory_first else start + len(body)
        directory = self._directory(self._entries(width, height, channels, segments, start), at)
        if self.directory_first:
            directory = self._directory(self._entries(width, height, channels, segments, start + len(directory)), at)
            return self._header(at) + directory + body
        return self._header(at) + body + directory

    def _entries(
        self, width: int, height: int, channels: int, segments: list[bytes], start: int
    ) -> list[tuple[int, int, Sequence[float]]]:
        offsets = [start + sum(map(len, segments[:place])) for place in range(len(segments))]
        lengths = [len(segment) for segment in segments]
        rows = self.rows or height
        where = (
            [(322, _SHORT, [rows]), (323, _SHORT, [rows]), (324, _LONG, offsets), (325, _LONG, lengths)]
            if self.tiled
            else [(273, _LONG, offsets), (278, _LONG, [rows]), (279, _LONG, lengths)]
        )
        entries: list[tuple[int, int, Sequence[float]]] = [
            (256, _LONG, [width]), (257, _LONG, [height]), (258, _SHORT, [self.bits] * channels),
            (259, _SHORT, [self.packing]), (262, _SHORT, [self.photometric]), (277, _SHORT, [channels]),
            (284, _SHORT, [2 if self.planar else 1]), *where, *self.more,
        ]  # fmt: skip
        if self.letter != "u":
            entries.append((339, _SHORT, [FORMATS.get(self.letter, 6)] * channels))
        for tag, number in ((266, self.fill_order), (317, self.predictor)):
            if number != 1:
                entries.append((tag, _SHORT, [number]))
        for tag, numbers in ((338, self.extra), (320, self.colour_map)):
            if numbers:
                entries.append((tag, _SHORT, numbers))
        return entries

    def _header(self, at: int) -> bytes:
        mark = b"II" if self.order == "<" else b"MM"
        return mark + (
            struct.pack(f"{self.order}HHHQ", 43, 8, 0, at) if self.big else struct.pack(f"{self.order}HI", 42, at)
        )

    def _directory(self, entries: Sequence[tuple[int, int, Sequence[float]]], at: int) -> bytes:
        count, entry, word = ("Q", "HHQ", 8) if self.big else ("H", "HHI", 4)
        after = at + struct.calcsize(f"={count}") + len(entries) * (struct.calcsize(f"={entry}") + word) + word
        table, values = b"", b""
        for tag, kind, numbers in sorted(entries, key=lambda each: each[0]):
            packed = struct.pack(f"{self.order}{len(numbers)}{_CODES[kind]}", *numbers)
            if len(packed) > word:
                place = after + len(values)
                values += packed + bytes(len(packed) % 2)
                packed = struct.pack(f"{self.order}{'Q' if self.big else 'I'}", place)
            table += struct.pack(f"{self.order}{entry}", tag, kind, len(numbers)) + packed.ljust(word, b"\0")
        return struct.pack(f"{self.order}{count}", len(entries)) + table + bytes(word) + values

    def _segments(self, plane: Samples) -> list[Samples]:
        height, width = plane.shape[:2]
        rows = self.rows or height
        if not self.tiled:
            return [plane[top : top + rows] for top in range(0, height, rows)]
        whole = np.pad(plane, ((0, -height % rows), (0, -width % rows), (0, 0)), mode="edge")
        return [
            whole[top : top + rows, left : left + rows]
            for top in range(0, whole.shape[0], rows)
            for left in range(0, whole.shape[1], rows)
        ]

    def _packed(self, segment: Samples) -> bytes:
        if self.bits in (8, 16, 32, 64):
            data = self._whole_bytes(segment)
        elif self.bits == 24:
            four = segment.astype(np.dtype("u4").newbyteorder(self.order)).view(np.uint8).reshape(-1, 4)
            data = four[:, slice(0, 3) if self.order == "<" else slice(1, 4)].tobytes()
        else:
            data = b"".join(_bits_of(row, self.bits) for row in segment)
        if self.fill_order == 2:
            data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8)).reshape(-1, 8)[:, ::-1]).tobytes()
        return PACKERS[self.packing](data)

    def _whole_bytes(self, segment: Samples) -> bytes:
        size = self.bits // 8
        if self.predictor == 3:
            rows = np.ascontiguousarray(segment.astype(f">f{size}")).view(np.uint8)
            # The highest bytes of a row first, then the next ones; each is the difference to the sample before.
            planes = rows.reshape(segment.shape[0], -1, size).transpose(0, 2, 1).reshape(segment.shape[0], -1)
            step = segment.shape[2]
            return np.concatenate([planes[:, :step], planes[:, step:] - planes[:, :-step]], axis=1).tobytes()
        values = segment.astype(f"{self.letter}{size}")
        if self.predictor == 2:
            whole = values.view(f"u{size}")
            values = np.concatenate([whole[:, :1], whole[:, 1:] - whole[:, :-1]], axis=1)
        return values.astype(values.dtype.newbyteorder(self.order)).tobytes()


def _bits_of(row: Samples, bits: int) -> bytes:
    """The samples of a row one after the other, the highest bit first, up to a whole byte."""
    numbers = row.reshape(-1).astype(np.int64)
    return np.packbits((numbers[:, None] >> np.arange(bits - 1, -1, -1)) & 1).tobytes()
