"""Bytes to a picture as the models see it, on their device: what it does not decode right is None, and the CPU's."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from pictures.picture import Picture, Pixels
from pictures.preprocessing import ModelInput, PictureInput
from workers.inference.device_decode.fit import can_fit, fit_on_device, fits_whole, upright, within
from workers.inference.device_decode.headers import Header, device_header
from workers.inference.hardware import free_cached, is_out_of_memory
from workers.microbatcher import MicroBatcher

log = logging.getLogger("darkroom.gpu")

# Pictures that are decoded together: as many as wait, and together so many pixels, which take 200 MB.
BATCH, BATCH_PIXELS = 32, 64_000_000
# Where the last pixels have this shade, a decoder may have had no data for them.
_GREY = 128
_SIDEWAYS = (5, 6, 7, 8)


class Codec(Protocol):
    """A library that decodes JPEGs on a device."""

    def decode(self, files: Sequence[bytes]) -> list[torch.Tensor | None]:
        """The pixels of JPEGs on the device, uint8 (height, width, 3); None for what it cannot decode."""


@dataclass(frozen=True)
class Asked:
    """A file to decode: its bytes, what they say of themselves, and what is wanted of the picture."""

    data: bytes
    header: Header
    clip: PictureInput
    blip: PictureInput | None
    small: int | None
    text: PictureInput | None


class DeviceDecoder:
    """Decodes what its threads ask for in batches, in a thread of its own."""

    def __init__(self, codec: Codec, device: torch.device, max_pixels: int) -> None:
        self._codec = codec
        self._max_pixels = max_pixels
        self._has_failed = False
        module = torch.get_device_module(device.type)
        self._stream = module.Stream(device) if device.type == "cuda" else None
        self._batcher: MicroBatcher[Asked, Picture | None] = MicroBatcher(
            "decode", self._decode, BATCH, is_out_of_memory, free_cached
        )

    def decode(
        self,
        data: bytes,
        clip: PictureInput,
        blip: PictureInput | None = None,
        small: int | None = None,
        text: PictureInput | None = None,
    ) -> Picture | None:
        """The same as pictures.decode.decode, to within rounding; None for what the CPU is to decode."""
        header = device_header(data, self._max_pixels)
        if header is None or not all(can_fit(target) for target in (clip, blip, text) if target is not None):
            return None
        size = (header.height, header.width) if header.orientation in _SIDEWAYS else (header.width, header.height)
        if not all(fits_whole(each, *size) for each in (clip, blip) if isinstance(each, ModelInput)):
            return None
        asked = Asked(data, header, clip, blip, small, text)
        try:
            return self._batcher.submit(asked).result()
        except Exception as error:  # a driver may raise anything; the CPU decodes every picture
            if not self._has_failed and not is_out_of_memory(error):
                self._has_failed = True
                log.warning("the device does not decode pictures (%s): the CPU does", f"{error}".partition("\n")[0])
            return None

    def close(self) -> None:
        """Decode what was asked for, then end the thread."""
        self._batcher.close()

    def _decode(self, batch: list[Asked]) -> list[Picture | None]:
        if self._has_failed:
            return [None] * len(batch)
        found: list[Picture | None] = []
        part: list[Asked] = []
        pixels = 0
        for asked in batch:
            size = asked.header.width * asked.header.height
            if part and pixels + size > BATCH_PIXELS:
                found += self._decode_part(part)
                part, pixels = [], 0
            part.append(asked)
            pixels += size
        return found + self._decode_part(part)

    @torch.inference_mode()
    def _decode_part(self, batch: list[Asked]) -> list[Picture | None]:
        if self._stream is None:
            return self._on_stream(batch)
        with torch.cuda.stream(self._stream):
            return self._on_stream(batch)

    def _on_stream(self, batch: list[Asked]) -> list[Picture | None]:
        made = [
            _made(asked, pixels)
            for asked, pixels in zip(batch, self._codec.decode([asked.data for asked in batch]), strict=True)
        ]
        tensors = [tensor for each in made if each is not None for tensor in each]
        arrays = iter(_to_host(tensors))
        return [
            None if each is None else _picture(asked, [next(arrays) for _ in each])
            for asked, each in zip(batch, made, strict=True)
        ]


def _made(asked: Asked, pixels: torch.Tensor | None) -> list[torch.Tensor] | None:
    """The last corner of the picture and all that is wanted of it, on the device."""
    header = asked.header
    if pixels is None or tuple(pixels.shape) != (header.height, header.width, 3):
        return None
    picture = upright(pixels, header.orientation)
    fitted = [fit_on_device(picture, target) for target in (asked.clip, asked.blip, asked.text) if target is not None]
    small = [within(picture, asked.small)] if asked.small else []
    return [pixels[-4:, -4:], *fitted, *small]


def _to_host(tensors: list[torch.Tensor]) -> list[Pixels]:
    """Tensors of uint8 in the memory of this machine, by one copy."""
    if not tensors:
        return []
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors]).cpu().numpy()
    ends = np.cumsum([tensor.numel() for tensor in tensors])
    return [part.reshape(tensor.shape) for part, tensor in zip(np.split(flat, ends[:-1]), tensors, strict=True)]


def _picture(asked: Asked, arrays: list[Pixels]) -> Picture | None:
    corner, clip, *rest = arrays
    if (corner == _GREY).all():
        return None
    header = asked.header
    width, height = header.width, header.height
    if header.orientation in _SIDEWAYS:
        width, height = height, width
    made = iter(rest)
    blip = next(made) if asked.blip is not None else None
    text = next(made) if asked.text is not None else None
    small = Image.fromarray(next(made)) if asked.small else None
    return Picture("JPEG", width, height, clip, blip, text, {}, small)
