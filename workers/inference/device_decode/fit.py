"""Decoded pictures on a device as the models see them: turned upright, resized and cut out as pictures/preprocessing.py
does it on the CPU.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image

from pictures.preprocessing import ModelInput, PictureInput, WholeInput

# The filters of Pillow that torch has with the same weights. https://docs.pytorch.org/docs/stable/nn.functional.html
_FILTERS = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "bicubic"}
# EXIF orientation -> the same turn as in pictures/decode.py, of (height, width, channels).
_UPRIGHT: dict[int, Callable[[torch.Tensor], torch.Tensor]] = {
    2: lambda pixels: pixels.flip(1),
    3: lambda pixels: pixels.flip(0, 1),
    4: lambda pixels: pixels.flip(0),
    5: lambda pixels: pixels.transpose(0, 1),
    6: lambda pixels: pixels.flip(0).transpose(0, 1),
    7: lambda pixels: pixels.flip(0, 1).transpose(0, 1),
    8: lambda pixels: pixels.flip(1).transpose(0, 1),
}


def can_fit(target: PictureInput) -> bool:
    """True if `fit_on_device` resizes by the filter that the target asks for."""
    return isinstance(target, WholeInput) or Image.Resampling(target.resample) in _FILTERS


def upright(pixels: torch.Tensor, orientation: int) -> torch.Tensor:
    """Pixels (height, width, 3) as a person sees them."""
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else turn(pixels)


def fit_on_device(pixels: torch.Tensor, target: PictureInput) -> torch.Tensor:
    """Resize an upright picture, uint8 (height, width, 3), for a target; uint8 of the same shape as `fit` gives."""
    height, width = pixels.shape[:2]
    if isinstance(target, WholeInput):
        return within(pixels, target.edge)
    across, down = target.scaled(width, height)
    resized = _resized(pixels, across, down, Image.Resampling(target.resample))
    left, top = (across - target.width) // 2, (down - target.height) // 2
    return resized[top : top + target.height, left : left + target.width]


def fits_whole(target: ModelInput, width: int, height: int) -> bool:
    """True unless the middle that is cut out of a picture of this size is larger than what it is scaled to."""
    across, down = target.scaled(width, height)
    return across >= target.width and down >= target.height


def within(pixels: torch.Tensor, edge: int) -> torch.Tensor:
    """The picture with at most `edge` pixels each way; a smaller one stays as it is."""
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= edge:
        return pixels
    across, down = (max(1, round(length * edge / longer)) for length in (width, height))
    return _resized(pixels, across, down, Image.Resampling.BICUBIC)


def _resized(pixels: torch.Tensor, width: int, height: int, resample: Image.Resampling) -> torch.Tensor:
    planes = pixels.permute(2, 0, 1).unsqueeze(0).to(torch.float32)
    resized = F.interpolate(planes, (height, width), mode=_FILTERS[resample], antialias=True, align_corners=False)
    return resized[0].permute(1, 2, 0).round_().clamp_(0, 255).to(torch.uint8)
