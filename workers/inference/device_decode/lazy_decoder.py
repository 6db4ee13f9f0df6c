"""The decoder of the device before it is loaded, and whether there may be one; known without torch."""

import importlib.util
from typing import TYPE_CHECKING

from pictures.picture import Picture
from pictures.preprocessing import PictureInput
from settings import Settings
from workers.checkpoints.lazy import Lazy

if TYPE_CHECKING:
    import torch

    from workers.inference.device_decode.decoder import DeviceDecoder
    from workers.inference.embedders.embedder import Embedder


def may_decode(settings: Settings, device_type: str) -> bool:
    """True if `gpu.decode` asks for the device, or leaves it open and the device and the library are there.

    Loader processes have no way to the device, so who asks for those decodes on the CPU.
    """
    if settings.gpu.decode != "auto":
        return settings.gpu.decode == "cuda"
    return device_type == "cuda" and settings.gpu.loader_processes in ("auto", 0) and _is_installed()


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec("nvidia.nvimgcodec") is not None
    except ModuleNotFoundError:  # not even one of NVIDIA's packages is
        return False


class LazyDecoder:
    """Decodes on the device once it is loaded, or leaves it to the CPU where that comes out otherwise."""

    def __init__(self, settings: Settings, device: "Lazy[torch.device]", clip: "Embedder") -> None:
        def load() -> "DeviceDecoder | None":
            from workers.inference.device_decode.choice import device_decoder

            return device_decoder(settings, device(), clip.model_input)

        self._made: Lazy[DeviceDecoder | None] = Lazy(load)

    def load(self) -> None:
        """Load it, unless it is loaded; raises ServiceMissing where `gpu.decode` asks for what cannot be done."""
        self._made()

    def __call__(
        self,
        data: bytes,
        clip: PictureInput,
        blip: PictureInput | None,
        small: int | None,
        text: PictureInput | None,
    ) -> Picture | None:
        """The picture, None for what the CPU is to decode."""
        decoder = self._made()
        return None if decoder is None else decoder.decode(data, clip, blip, small, text)

    def close(self) -> None:
        """End its thread once it has decoded what was asked for."""
        if self._made.is_loaded and (decoder := self._made()) is not None:
            decoder.close()
