"""Whether this worker decodes on its device: by the setting, by what is installed, and by what comes out."""

import logging
from collections.abc import Callable
from io import BytesIO

import numpy as np
import torch

from pictures.decode import decode
from pictures.preprocessing import PictureInput
from settings import Settings
from settings.errors import ServiceMissing
from workers.inference.device_decode.decoder import Codec, DeviceDecoder
from workers.inference.device_decode.nvimgcodec import NvImageCodec
from workers.inference.self_check import SAME_PIXELS, picture

log = logging.getLogger("darkroom.gpu")

PACKAGE = "nvidia-nvimgcodec-cu13[nvjpeg]"


def device_decoder(
    settings: Settings,
    device: torch.device,
    clip: PictureInput,
    codec: Callable[[torch.device], Codec] = NvImageCodec,
) -> DeviceDecoder | None:
    """What decodes on the device, None where the CPU does; raises ServiceMissing where `gpu.decode` asks for more.

    With "auto" the device decodes if it is CUDA's, the library is there, and a picture comes out as from the CPU.
    """
    wanted = settings.gpu.decode
    if wanted == "cpu" or (wanted == "auto" and not _is_cuda(device)):
        return None
    reason = "the device of this worker is not CUDA's"
    if _is_cuda(device):
        found, reason = _tried(settings, device, clip, codec)
        if found is not None:
            return found
    if wanted == "cuda":
        raise ServiceMissing(
            f'gpu.decode = "cuda" cannot be done: {reason}. Run `pip install "{PACKAGE}"`, or set it to "auto".'
        )
    log.info("pictures are decoded on the CPU: %s", reason)
    return None


def _is_cuda(device: torch.device) -> bool:
    return device.type == "cuda" and not torch.version.hip


def _tried(
    settings: Settings, device: torch.device, clip: PictureInput, codec: Callable[[torch.device], Codec]
) -> tuple[DeviceDecoder | None, str]:
    """A decoder that decodes the picture of the check as the CPU does, or why there is none."""
    try:
        decoder = DeviceDecoder(codec(device), device, settings.ingest.max_pixels)
    except ImportError:
        return None, "nvImageCodec is not installed"
    except Exception as error:  # a driver may raise anything
        return None, f"nvImageCodec does not start ({error})".partition("\n")[0]
    difference = _difference(decoder, clip, settings.ingest.max_pixels)
    if not difference:
        return decoder, ""
    decoder.close()
    return None, difference


def _difference(decoder: DeviceDecoder, clip: PictureInput, max_pixels: int) -> str:
    file = BytesIO()
    picture().save(file, "JPEG", quality=92)
    found = decoder.decode(file.getvalue(), clip)
    if found is None:
        return "nvImageCodec decodes no JPEG here, perhaps for want of nvJPEG"
    right = decode(file.getvalue(), max_pixels, clip, None).clip.astype(np.float32)
    distance = float(np.linalg.norm(found.clip - right) / np.linalg.norm(right))
    return "" if distance <= SAME_PIXELS else f"nvImageCodec's pixels differ from the CPU's by {distance:.1%}"
