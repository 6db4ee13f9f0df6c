"""Numbers of any kind and depth as eight bits: which of them is black, and which is white."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pictures.picture import Pixels

Numbers = NDArray[np.generic]
# So many numbers are converted at a time, so that no second copy of a large picture is needed.
STRIP = 1 << 18
# A median and its like do not change when they are taken from so many numbers alone.
_SAMPLE = 1 << 18


@dataclass(frozen=True)
class SampleKind:
    """What a file says about its numbers.

    `letter` is that of numpy: u for unsigned, i for signed, f for float. `declared` is the smallest and the largest
    number, where the file names both.
    """

    letter: str
    bits: int
    declared: tuple[float, float] | None = None


def fixed_span(kind: SampleKind) -> tuple[float, float] | None:
    """The numbers that are black and white, where no picture changes them: unsigned up to 16 bits; None for others."""
    if kind.letter != "u" or kind.bits > 16:
        return None
    bits = kind.bits
    if kind.declared and kind.declared[0] == 0 and _is_depth(kind.declared[1]):
        bits = min(bits, int(kind.declared[1]).bit_length())
    return 0.0, 2.0**bits - 1


def span_of(values: Numbers, kind: SampleKind) -> tuple[float, float]:
    """The numbers that are black and white.

    - Unsigned up to 16 bits: from 0 to the largest number of that depth. So a dark picture stays dark. Where the file
      names a largest number of fewer bits (4095 of 12 bits in 16), that one is white.
    - Signed up to 16 bits: the same without the sign bit; where a number is below 0, the whole range of that depth.
    - Integers of more bits: as many bytes as the largest number needs, for programs put 8 and 16 bits into 32.
    - Float: what the file names, else from 0 to 1, and what is beyond is clipped: a highlight at 1.5 makes the rest no
      darker. Where more than half of the numbers other than 0 are beyond, the picture has another range: from its
      smallest to its largest number, without the outermost thousandth.
    """
    if fixed := fixed_span(kind):
        return fixed
    if kind.letter == "f":
        return kind.declared or _float_span(values)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    bits = kind.bits - (kind.letter == "i")
    if bits > 16:
        needed = max(int(high), -int(low) - 1).bit_length()
        bits = min(bits, -(-max(needed, 1) // 8) * 8)
        if kind.letter == "i" and bits % 8 == 0 and low < 0:
            bits -= needed < bits
    return (-(2.0**bits) if low < 0 else 0.0), 2.0**bits - 1


def _is_depth(number: float) -> bool:
    """True for the largest number of a depth of 8 bits or more: 255, 511, 1023 ..."""
    return number >= 255 and number == int(number) and (int(number) + 1) & int(number) == 0


def _float_span(values: Numbers) -> tuple[float, float]:
    flat = values.reshape(-1)
    some = flat[:: max(1, flat.size // _SAMPLE)].astype(np.float64)
    some = some[np.isfinite(some) & (some != 0)]
    if np.count_nonzero((some < 0) | (some > 1)) * 2 <= some.size:
        return 0.0, 1.0
    low, high = np.quantile(some, (0.001, 0.999))
    low = min(float(low), 0.0)
    # One number throughout: a little less is black.
    return low, max(float(high), low + 1.0)


def eight_bits(values: Numbers, span: tuple[float, float]) -> Pixels:
    """The numbers as uint8; what is beyond the span is clipped, what is no number is black."""
    low, high = span
    if low == 0 and values.dtype.kind == "u":
        if high == 255 and values.dtype.itemsize == 1:
            return values.astype(np.uint8, copy=False)
        bits = int(high).bit_length()
        if values.dtype.itemsize == 2 and bits == 16:
            return (values.astype(np.uint16, copy=False) >> 8).astype(np.uint8)
    pixels = np.empty(values.shape, np.uint8)
    exact = np.dtype("f4" if values.dtype.itemsize <= 2 or values.dtype == np.float32 else "f8")
    scale = 255 / (high - low)
    for rows in strips(values):
        with np.errstate(over="ignore", invalid="ignore"):
            part: NDArray[np.floating] = (values[rows].astype(exact) - low) * scale + 0.5
            # What is no number becomes 0: fmax takes the other one.
            pixels[rows] = np.fmin(np.fmax(part, 0), 255).astype(np.uint8)
    return pixels


def strips(values: Numbers) -> Iterator[slice]:
    """Slices of rows, each of about STRIP numbers."""
    step = max(1, STRIP * len(values) // max(values.size, 1)) if len(values) else 1
    return (slice(top, top + step) for top in range(0, len(values), step))
