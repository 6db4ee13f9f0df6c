"""From uint8 pictures in memory to normalised pixels on the device."""

from collections.abc import Sequence

import numpy as np
import torch

from workers.gpu.picture import Pixels
from workers.gpu.preprocessing import Target


class PixelFeed:
    """Copies a batch to the device as bytes and normalises it there.

    A quarter of the bytes of float32 cross the bus, from pinned memory and without waiting on CUDA.
    """

    def __init__(self, device: torch.device, target: Target) -> None:
        self._device = device
        # (value / 255 - mean) / std, folded into one multiplication and one subtraction.
        std = torch.tensor(target.std, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        mean = torch.tensor(target.mean, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = mean / std

    def __call__(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> torch.Tensor:
        """Pictures as uint8 (height, width, 3), all of one size; returns `dtype` of (n, 3, height, width)."""
        rows = torch.from_numpy(np.stack(pictures))
        if self._device.type == "cuda":
            rows = rows.pin_memory().to(self._device, non_blocking=True)
        return (rows.permute(0, 3, 1, 2).to(torch.float32) * self._scale - self._shift).to(dtype)
