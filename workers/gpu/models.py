"""The models of a GPU worker behind their batchers, each under watch for a device that fails or hangs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pictures.picture import LoadError, Pixels
from settings import Settings
from workers.gpu.device_failure import GuardedModel
from workers.gpu.watchdog import Watchdog
from workers.inference.hardware import batch_sizes, is_out_of_memory
from workers.inference.memory import free_cached
from workers.microbatcher import MicroBatcher

if TYPE_CHECKING:
    # Imported for the types only: a worker with the null model starts without torch.
    from workers.inference.blip import Blip
    from workers.inference.clip import Clip
    from workers.inference.null import NullClip

# A first batch of one caption costs a CPU seconds.
BLIP_GATHER_SECONDS = 0.03
CLIP_GATHER_SECONDS = 0.005
# Every channel of the picture that shows whether a device computes.
GREY = 128
Result = TypeVar("Result")


class Models:
    """CLIP and, where captions are written, BLIP, with a batcher each.

    `is_loading` says whether more pictures will come; `on_device_failed` gets a sentence when nothing can be computed.
    """

    def __init__(
        self,
        settings: Settings,
        clip: "Clip | NullClip",
        blip: "Blip | None",
        device_type: str,
        is_loading: Callable[[], bool],
        on_device_failed: Callable[[str], None],
    ) -> None:
        self._watchdog = Watchdog()
        batch_clip, batch_blip = batch_sizes(settings, device_type)

        def batcher(
            name: str,
            model: "Clip | NullClip | Blip",
            compute: Callable[[Sequence[Pixels]], Sequence[Result]],
            batch: int,
            gather_seconds: float,
        ) -> MicroBatcher[Pixels, Result]:
            blank = np.full((model.model_input.height, model.model_input.width, 3), GREY, dtype=np.uint8)
            seconds = settings.gpu.hang_seconds
            guarded = GuardedModel(model.name, compute, blank, self._watchdog, seconds, on_device_failed)
            return MicroBatcher(name, guarded, batch, is_out_of_memory, free_cached, gather_seconds, is_loading)

        self.clip: MicroBatcher[Pixels, NDArray[np.float32]] = batcher(
            "clip", clip, partial(_embeddings, clip), batch_clip, CLIP_GATHER_SECONDS
        )
        self.blip: MicroBatcher[Pixels, str] | None = None
        if blip is not None:
            self.blip = batcher("blip", blip, blip.caption, batch_blip, BLIP_GATHER_SECONDS)

    def cancel_waiting(self) -> None:
        """Cancel what waits for a model or comes later."""
        for batcher in (self.clip, self.blip):
            if batcher is not None:
                batcher.cancel_waiting()

    def close(self) -> None:
        """Compute what was submitted, then end the threads."""
        for batcher in (self.clip, self.blip):
            if batcher is not None:
                batcher.close()
        self._watchdog.close()


def _embeddings(clip: "Clip | NullClip", pictures: Sequence[Pixels]) -> list[NDArray[np.float32]]:
    """The embeddings of some pictures; raises LoadError if there is a number in them that is not finite."""
    rows = clip.embed_pictures(pictures)
    if not np.isfinite(rows).all():
        raise LoadError("model", "its embedding has numbers that are not finite")
    return list(rows)
