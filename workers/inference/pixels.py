"""Copies uint8 pictures to the device and normalises them there."""

from collections.abc import Sequence

import numpy as np
import torch

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput


class PixelFeed:
    """Copies a batch to the device as bytes and normalises it there.

    The bytes are a quarter of the same pixels as float32. On CUDA they are copied from pinned memory in a separate
    stream, so the copy does not wait for earlier work and does not block this thread. The result is channels-last
    without a conversion, because pictures have that layout in memory.
    """

    def __init__(self, device: torch.device, target: ModelInput) -> None:
        self._device = device
        self._copy_stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        # (value / 255 - mean) / std, as one multiplication and one subtraction.
        std = torch.tensor(target.std, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        mean = torch.tensor(target.mean, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = mean / std

    def __call__(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> torch.Tensor:
        """Pictures as uint8 (height, width, 3), all of one size; returns `dtype` of (n, 3, height, width)."""
        rows = self._stack(pictures)
        if self._copy_stream is not None:
            rows = self._copy_to_device(rows, self._copy_stream)
        pixels = rows.permute(0, 3, 1, 2).to(torch.float32)
        return pixels.mul_(self._scale).sub_(self._shift).to(dtype)

    def _stack(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        # Pinned from the start, because pinning a batch later copies it once more. torch uses the memory again for a
        # later batch, but only after the copy to the device has ended.
        pin = self._copy_stream is not None
        rows = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=pin)
        np.stack(pictures, out=rows.numpy())
        return rows

    def _copy_to_device(self, rows: torch.Tensor, copy_stream: torch.cuda.Stream) -> torch.Tensor:
        with torch.cuda.stream(copy_stream):
            rows = rows.to(self._device, non_blocking=True)
        compute_stream = torch.cuda.current_stream(self._device)
        compute_stream.wait_stream(copy_stream)
        # The memory belongs to the copy stream, which must not use it again while the compute stream still reads it.
        rows.record_stream(compute_stream)
        return rows
