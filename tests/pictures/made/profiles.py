"""ICC profiles written by hand (ICC.1:2001-04), and pictures whose colours are written down as a profile says."""

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# The primaries of each space as XYZ columns under D50, the white of all profiles (from the vendors' own profiles).
SRGB = ((0.43607, 0.38515, 0.14307), (0.22249, 0.71687, 0.06061), (0.01392, 0.09708, 0.71410))
DISPLAY_P3 = ((0.51512, 0.29198, 0.15710), (0.24120, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))
ADOBE_RGB = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
GAMMA = 2.2
_D50 = (0.9642, 1.0, 0.8249)


def rgb_profile(primaries: Sequence[Sequence[float]], gamma: float = GAMMA) -> bytes:
    """A display's profile: three primaries and a gamma."""
    tags = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), zip(*primaries))}
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags | dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve))


def grey_profile(gamma: float) -> bytes:
    """A grey scale with a gamma."""
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"mntr", b"GRAY", b"XYZ ", {b"kTRC": curve})


def inks_profile(lab_of_first_ink: tuple[float, float, float]) -> bytes:
    """A printer whose first ink is this colour (L, a, b), whose other three are black; on white paper."""
    nodes = b""
    for corner in range(16):  # the first ink turns slowest
        lab = (0.0, 0.0, 0.0) if corner & 7 else lab_of_first_ink if corner else (100.0, 0.0, 0.0)
        nodes += bytes((round(lab[0] * 2.55), round(lab[1] + 128), round(lab[2] + 128)))
    straight = bytes(range(256))
    matrix = struct.pack(">9i", *(65536 if place % 4 == 0 else 0 for place in range(9)))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + matrix + straight * 4 + nodes + straight * 3
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})


def in_space(picture: Image.Image, primaries: Sequence[Sequence[float]], gamma: float = GAMMA) -> Image.Image:
    """An sRGB picture as the numbers that show the same colours in another space."""
    values = np.asarray(picture).astype(np.float64) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    there: NDArray[np.float64] = linear @ (np.linalg.inv(np.array(primaries)) @ np.array(SRGB)).T
    return Image.fromarray(np.round(np.clip(there, 0, 1) ** (1 / gamma) * 255).astype(np.uint8))


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ " + bytes(4) + struct.pack(">3i", *(round(value * 65536) for value in values))


def _profile(kind: bytes, space: bytes, pcs: bytes, tags: dict[bytes, bytes]) -> bytes:
    text = b"desc" + bytes(4) + struct.pack(">I", 9) + b"Darkroom\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text" + bytes(4) + b"none\0", b"wtpt": _xyz(_D50), **tags}
    at, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, value in tags.items():
        table += struct.pack(">4sII", name, at + len(body), len(value))
        body += value + bytes(-len(value) % 4)
    size = at + len(body)
    head = struct.pack(">I4xI4s4s4s", size, 0x02400000, kind, space, pcs) + bytes(12) + b"acsp" + bytes(28)
    head += struct.pack(">3i", *(round(value * 65536) for value in _D50))
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
