"""JPEG decoded by NVIDIA's nvImageCodec, which uses the decoding hardware of a GPU where it has some.

https://docs.nvidia.com/cuda/nvimagecodec/py_api.html
"""

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

# Chroma is smoothed as libjpeg does it, not doubled.
OPTIONS = ":fancy_upsampling=1"


class NvImageCodec:
    """Decodes on one device, a CUDA one or the CPU; for one thread. Raises ImportError where it is not installed."""

    def __init__(self, device: torch.device) -> None:
        library: Any = importlib.import_module("nvidia.nvimgcodec")
        kinds = library.BackendKind
        if device.type == "cpu":
            number, backends = library.NVIMGCODEC_DEVICE_CPU_ONLY, [kinds.CPU_ONLY]
        else:
            # Not the CPU: what the device does not decode goes the usual way, which scales while decoding.
            number, backends = device.index or 0, [kinds.HW_GPU_ONLY, kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU]
        self._device = device
        self._decoder = library.Decoder(
            device_id=number, backends=[library.Backend(kind) for kind in backends], options=OPTIONS
        )
        # Turned by us, for every picture alike.
        self._params = library.DecodeParams(apply_exif_orientation=False, color_spec=library.ColorSpec.SRGB)

    def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
        """The pixels of JPEGs on the device, uint8 (height, width, 3); None for what it cannot decode."""
        if self._device.type == "cpu":
            images = self._decoder.decode(list(files), params=self._params)
            return [None if image is None else torch.from_numpy(np.asarray(image)) for image in images]
        # What is decoded there is ready for what this stream does next.
        stream = torch.cuda.current_stream(self._device).cuda_stream
        images = self._decoder.decode(list(files), params=self._params, cuda_stream=stream)
        return [None if image is None else torch.as_tensor(image, device=self._device) for image in images]
