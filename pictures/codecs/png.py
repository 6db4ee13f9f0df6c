"""PNG in grey of which one grey is transparent: Pillow compares it with greys that are scaled to eight bits already."""

import numpy as np
from PIL import Image

from pictures.codecs.pillow import opened
from pictures.picture import Reserve

_DEPTH, _COLOUR = 24, 25
_GREY = 0


def open_png(data: bytes, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of such a PNG with its alpha, None for any other."""
    header = data[: data.find(b"IDAT")]
    if (
        len(header) < _COLOUR + 1
        or header[_COLOUR] != _GREY
        or header[_DEPTH] not in (2, 4, 16)
        or b"tRNS" not in header
    ):
        return None
    image = opened(data, "PNG", max_pixels, reserve)
    clear = image.info.get("transparency")
    if not isinstance(clear, int):
        return image
    grey = np.asarray(image)
    if header[_DEPTH] != 16:
        clear = clear * 255 // (2 ** header[_DEPTH] - 1)
    opaque = np.where(grey == clear, 0, 255).astype(np.uint8)
    eight = (grey >> 8 if header[_DEPTH] == 16 else grey).astype(np.uint8)
    shown = Image.merge("LA", (Image.fromarray(eight), Image.fromarray(opaque)))
    shown.info = {name: value for name, value in image.info.items() if name != "transparency"}
    return shown
