"""BMP whose channels lie in fields of any number of bits: Pillow reads a dozen of these layouts."""

import struct

import numpy as np
from PIL import Image

from pictures.picture import LoadError, Pixels, Reserve, check_size
from pictures.signature import CUT_OFF

# Values of biCompression: the masks of three channels, and of four, stand behind the header or in it.
_FIELDS, _ALPHA_FIELDS = 3, 6
_MASKS = 54
_ALPHA_IN_HEADER = 56


def open_bmp(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of a BMP with bit fields, None for any other; raises LoadError."""
    if len(data) < _MASKS + 12:
        return None
    start, header, width, height, _, bits, compression = struct.unpack_from("<IIiiHHI", data, 10)
    if compression not in (_FIELDS, _ALPHA_FIELDS) or bits not in (16, 32) or header < 40 or width <= 0 or height == 0:
        return None
    rows, stride = abs(height), (width * bits + 31) // 32 * 4
    check_size(width, rows, max_pixels)
    if start + stride * rows > len(data):
        raise LoadError("decode", CUT_OFF)
    red, green, blue, alpha = struct.unpack_from("<4I", data.ljust(_MASKS + 16, b"\0"), _MASKS)
    if compression == _FIELDS and header < _ALPHA_IN_HEADER:
        alpha = 0
    reserve(width * rows * 2)
    lines = np.frombuffer(data, np.uint8, stride * rows, start).reshape(rows, stride)
    pixels = lines[:: 1 if height < 0 else -1].copy().view(f"<u{bits // 8}")[:, :width]
    channels = [_channel(pixels, mask) for mask in (red, green, blue)]
    if alpha:
        opaque = _channel(pixels, alpha)
        # Many programs leave the fourth channel empty.
        if opaque.any():
            channels.append(opaque)
    return Image.fromarray(np.stack(channels, axis=-1))


def _channel(pixels: np.ndarray, mask: int) -> Pixels:
    """What stands in these bits, scaled to eight."""
    if not mask:
        return np.zeros(pixels.shape, np.uint8)
    shift = (mask & -mask).bit_length() - 1
    most = mask >> shift
    values = (pixels & pixels.dtype.type(mask)) >> pixels.dtype.type(shift)
    if most == 0xFF:
        return values.astype(np.uint8)
    return (values.astype(np.float32) * (255 / most) + 0.5).astype(np.uint8)
