"""Pictures on the device in the form that a model takes: by our own way, or by the library's processor."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from workers.inference.accelerators import STREAMING


class PixelFeed:
    """Copies a batch to the device as bytes and normalises it there.

    The bytes are a quarter of the same pixels as float32. To a device of STREAMING they are copied from pinned memory
    in a separate stream, so the copy does not wait for earlier work and does not block this thread. The result is
    channels-last without a conversion, because pictures have that layout in memory.
    """

    def __init__(self, device: torch.device, target: ModelInput) -> None:
        self._device = device
        self._module = torch.get_device_module(device.type)
        self._copy_stream = self._module.Stream(device) if device.type in STREAMING else None
        # (value / 255 - mean) / std, as one multiplication and one subtraction.
        std = torch.tensor(target.std, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        mean = torch.tensor(target.mean, dtype=torch.float32, device=device).view(1, 3, 1, 1)
        self._scale = 1 / (255 * std)
        self._shift = mean / std

    def __call__(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> torch.Tensor:
        """Pictures as uint8 (height, width, 3), all of one size; returns `dtype` of (n, 3, height, width)."""
        stream = self._copy_stream
        rows = self._stack(pictures) if stream is None else self._copy_to_device(pictures, stream)
        pixels = rows.permute(0, 3, 1, 2).to(torch.float32)
        return pixels.mul_(self._scale).sub_(self._shift).to(dtype)

    def _stack(self, pictures: Sequence[Pixels]) -> torch.Tensor:
        # Pinned from the start, because pinning a batch later copies it once more. torch uses the memory again for a
        # later batch, but only after the copy to the device has ended.
        pin = self._copy_stream is not None
        rows = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, pin_memory=pin)
        np.stack(pictures, out=rows.numpy())
        return rows

    def _copy_to_device(self, pictures: Sequence[Pixels], copy_stream: Any) -> torch.Tensor:
        with self._module.stream(copy_stream):
            if _is_pinned(pictures):
                # Each from where its loader has put it. Whoever asks for this batch holds the pictures until its
                # results are there, so no loader writes over them before they are copied.
                rows = torch.empty((len(pictures), *pictures[0].shape), dtype=torch.uint8, device=self._device)
                for row, picture in zip(rows, pictures, strict=True):
                    row.copy_(torch.from_numpy(picture), non_blocking=True)
            else:
                rows = self._stack(pictures).to(self._device, non_blocking=True)
        compute_stream = self._module.current_stream(self._device)
        compute_stream.wait_stream(copy_stream)
        # The memory belongs to the copy stream, which must not use it again while the compute stream still reads it.
        rows.record_stream(compute_stream)
        return rows


def _is_pinned(pictures: Sequence[Pixels]) -> bool:
    """True if the first one lies in pinned memory, as all do that loader processes have loaded."""
    # torch warns of an array that must not be written to; what a loader has put into its memory may be.
    return bool(pictures) and pictures[0].flags.writeable and torch.from_numpy(pictures[0]).is_pinned()


class ProcessorFeed:
    """Prepares pictures of any size by the library's processor, on the CPU; slower, and right for every family.

    `asked` is what the processor gets besides the pictures; a text in it is asked of each picture.
    """

    def __init__(self, device: torch.device, processor: Any, **asked: Any) -> None:
        self._device = device
        self._processor = processor
        self._asked = asked

    def __call__(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """The inputs of the model for uint8 pictures (height, width, 3), by name; numbers with a point in `dtype`."""
        asked = {name: [value] * len(pictures) if name == "text" else value for name, value in self._asked.items()}
        inputs = self._processor(images=[Image.fromarray(each) for each in pictures], return_tensors="pt", **asked)
        return {
            name: tensor.to(self._device, dtype if tensor.is_floating_point() else None)
            for name, tensor in inputs.items()
            if isinstance(tensor, torch.Tensor)
        }
