"""TIFF: counts the strips or tiles of a picture that is cut off."""

import io
from collections.abc import Sequence

from PIL import TiffImagePlugin

from pictures.repair.remains import Remains

_UNPACKED = 1
# Tags of the offsets and the lengths of strips, and of tiles (TIFF 6.0).
_PARTS = ((273, 279), (324, 325))
_COMPRESSION = 259


def remains(data: bytes) -> Remains | None:
    """What is there of a TIFF that ends inside its strips or tiles; None where its directory is missing as well."""
    with TiffImagePlugin.TiffImageFile(io.BytesIO(data)) as image:
        tags = image.tag_v2
        parts = next(((tags[offsets], tags[lengths]) for offsets, lengths in _PARTS if lengths in tags), None)
        is_unpacked = tags.get(_COMPRESSION, _UNPACKED) == _UNPACKED
    if parts is None or not all(isinstance(each, Sequence) for each in parts):
        return None
    shares = [max(0.0, min(1.0, (len(data) - offset) / length)) for offset, length in zip(*parts) if length]
    if not shares or min(shares) == 1:
        return None
    # Of a packed part that is cut off nothing is taken for granted.
    there = sum(share if is_unpacked else int(share) for share in shares) / len(shares)
    return Remains(data, there or None)
