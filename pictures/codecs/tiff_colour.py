"""The colours of a TIFF whose numbers have eight bits already: palettes, negatives, Lab, and what is transparent."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictures.codecs.samples import eight_bits, strips
from pictures.codecs.tiff_layout import ICC_LAB, INKS, LAB, PALETTE, RGB, WHITE_IS_ZERO, YCBCR, Layout
from pictures.picture import Pixels

_MODES = {RGB: "RGB", PALETTE: "RGB", INKS: "CMYK", YCBCR: "RGB", LAB: "LAB", ICC_LAB: "LAB"}
# The numbers of white, as they stand in the file; of a grey one, of RGB and of a palette it is 255.
_WHITE = {"CMYK": (0, 0, 0, 0), "LAB": (255, 128, 128), "YCbCr": (255, 128, 128)}


def picture_of(
    layout: Layout, table: NDArray[np.generic] | None, colour: NDArray[np.generic], alpha: "Pixels | None"
) -> Image.Image:
    """The picture without transparency, in mode L, RGB, CMYK or LAB; `colour` is (height, width, channels).

    `colour` has eight bits, but for a palette, where it tells the places in `table`.
    """
    mode = "YCbCr" if layout.is_unconverted_ycbcr else _MODES.get(layout.photometric, "L")
    pixels: NDArray[Any] = colour
    if layout.is_palette:
        if table is None:
            raise ValueError("a palette without colours")
        shown = table.T.astype(np.uint16)
        colours = (shown if layout.small_colours else shown >> 8).astype(np.uint8)
        pixels = np.take(colours, colour[..., 0].astype(np.intp), axis=0, mode="clip")
    white = (0,) if layout.photometric == WHITE_IS_ZERO else _WHITE.get(mode, (255,) * pixels.shape[-1])
    # A fourth channel of which nobody says what it is, and which is 0 throughout, makes nothing transparent.
    if alpha is not None and not (layout.guessed_alpha and not alpha.any()):
        pixels = _over(pixels, alpha, np.array(white, np.uint32), bool(layout.premultiplied))
    if layout.photometric == WHITE_IS_ZERO:
        pixels = ~pixels
    if mode == "LAB":
        # Pillow takes both colours with a sign.
        pixels[..., 1:] ^= 0x80
    size = (layout.width, layout.height)
    image = Image.frombuffer(mode, size, np.ascontiguousarray(pixels), "raw", mode, 0, 1)
    return image.convert("RGB") if mode == "YCbCr" else image


def lab_of(layout: Layout, numbers: NDArray[np.generic]) -> Pixels:
    """Lab of eight bits: the lightness from 0 to 255, and both colours with an offset of 128.

    In a file whole numbers of CIE Lab have a sign and those of ICC Lab an offset, the upper byte is that of 8 bits; as
    float, the lightness goes to 100.
    """
    if layout.kind.letter == "f":
        lightness = eight_bits(numbers[..., :1], (0, 100))
        return np.concatenate([lightness, eight_bits(numbers[..., 1:], (-128, 127))], axis=-1)
    unsigned = numbers.view(f"u{numbers.dtype.itemsize}")
    pixels: Pixels = (unsigned >> (layout.kind.bits - 8)).astype(np.uint8)
    if layout.photometric == LAB:
        pixels[..., 1:] ^= 0x80
    return pixels


def _over(pixels: Pixels, alpha: Pixels, white: NDArray[np.uint32], premultiplied: bool) -> Pixels:
    """The pixels over white."""
    whole = np.empty_like(pixels)
    for rows in strips(pixels):
        part, opaque = pixels[rows].astype(np.uint32), alpha[rows].astype(np.uint32)[..., None]
        shown = part * 255 if premultiplied else part * opaque
        whole[rows] = np.minimum((shown + white * (255 - opaque) + 127) // 255, 255).astype(np.uint8)
    return whole
