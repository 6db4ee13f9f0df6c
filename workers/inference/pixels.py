"""From uint8 pictures in memory to normalised pixels on the device."""

from collections.abc import Sequence

import numpy as np
import torch

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput


class PixelFeed:
    """Copies a batch to the device as bytes and normalises it there.

    A quarter of the bytes of float32 cross the bus. On CUDA they go from pinned memory and by a stream of their own, so
    that the copy neither waits for the work before it nor holds up this thread. What arrives is channels-last without
    anybody turning it round, because that is how pictures lie in memory.
    """

    def __init__(self, device: torch.device, target: ModelInput) -> None:
        self._device = device
        self._copies = torch.cuda.Stream(device) if device.type == "cuda" else None
        # (value / 255 - mean) / std, folded into one multiplication and one subtraction.
        std = torch.tensor(target.std, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        mean = torch.tensor(target.mean, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = mean / std

    def __call__(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> torch.Tensor:
        """Pictures as uint8 (height, width, 3), all of one size; returns `dtype` of (n, 3, height, width)."""
        rows = self._staged(pictures)
        if self._copies is not None:
            rows = self._on_device(rows, self._copies)
        pixels = rows.permute(0, 3, 1, 2).to(torch.float32)
        return pixels.mul_(self._scale).sub_(self._shift).to(dtype)

    def _staged(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        # Pinned from the start, for pinning a batch afterwards would copy it once more. torch gives the memory to a
        # later batch, and not before the copy out of it has ended.
        rows = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=self._copies is not None)
        np.stack(pictures, out=rows.numpy())
        return rows

    def _on_device(self, rows: torch.Tensor, copies: torch.cuda.Stream) -> torch.Tensor:
        with torch.cuda.stream(copies):
            rows = rows.to(self._device, non_blocking=True)
        compute = torch.cuda.current_stream(self._device)
        compute.wait_stream(copies)
        # The memory was taken on the other stream, whose allocator must not give it away while this one still reads.
        rows.record_stream(compute)
        return rows
