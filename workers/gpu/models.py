"""The models of a GPU worker behind their batchers, each under watch for a device that fails or hangs."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pictures.picture import LoadError, Picture, Pixels
from pictures.preprocessing import blank
from settings import Settings
from tasks.messages import Target
from workers.checkpoints.lazy import Lazy
from workers.checkpoints.speed import Speed
from workers.gpu.delivery import FileState, KnownContent, Wanted
from workers.gpu.device_failure import GuardedModel
from workers.gpu.watchdog import Watchdog
from workers.inference.accelerators import STREAMING
from workers.inference.hardware import batch_ocr, batch_sizes, free_cached, is_out_of_memory
from workers.microbatcher import MicroBatcher
from workers.recent import Recent

if TYPE_CHECKING:
    from workers.inference.captioners.captioner import Captioner
    from workers.inference.embedders.embedder import Embedder
    from workers.inference.null import NullClip
    from workers.inference.text_reader import TextReader

# A first batch of one caption costs a CPU seconds.
BLIP_GATHER_SECONDS = 0.03
CLIP_GATHER_SECONDS = 0.005
# Batches of a model that an accelerator has been given at a time: it begins the next one while the last is copied back.
IN_FLIGHT = 2
# Every channel of the picture that shows whether a device computes.
GREY = 128
Result = TypeVar("Result")
EmbeddingBatcher = MicroBatcher[Pixels, NDArray[np.float32]]
TextBatcher = MicroBatcher[Pixels, str]


class Models:
    """CLIP, BLIP where captions are written, and who reads text where it is read, with a batcher each.

    Each is loaded when it is first asked for.

    `is_loading` says whether more pictures will come; `on_device_failed` gets a sentence when nothing can be computed.
    `speed` learns how long the models take.
    """

    def __init__(
        self,
        settings: Settings,
        clip: "Embedder | NullClip",
        blip: "Captioner | None",
        device_type: str,
        is_loading: Callable[[], bool],
        on_device_failed: Callable[[str], None],
        reader: "TextReader | None" = None,
    ) -> None:
        self._watchdog = Watchdog()
        self._is_cancelled = False
        self.speed = Speed()
        batch_clip, batch_blip = batch_sizes(settings, device_type)
        self.largest_batch = max(batch_clip, batch_blip) if blip is not None else batch_clip

        def batcher(
            name: str,
            model: "Embedder | NullClip | Captioner | TextReader",
            compute: Callable[[Sequence[Pixels]], Sequence[Result]],
            batch: int,
            gather_seconds: float,
            in_flight: int = 1,
            parts: int = 1,
        ) -> MicroBatcher[Pixels, Result]:
            timed = partial(self.speed.timed, model.name, compute)
            seconds = settings.gpu.hang_seconds
            guarded = GuardedModel(
                model.name, timed, blank(model.model_input, GREY), self._watchdog, seconds, on_device_failed
            )
            # On a CPU a part of the cores computes a batch of its own: it waits for no other part at the end of each.
            made = MicroBatcher(
                name,
                guarded,
                -(-batch // parts),
                is_out_of_memory,
                free_cached,
                gather_seconds,
                is_loading,
                max(in_flight, parts),
                side_by_side=parts > 1,
            )
            if self._is_cancelled:  # the worker stops
                made.cancel_waiting()
            return made

        on_device = IN_FLIGHT if device_type in STREAMING else 1
        # A service is asked as many questions at the same time as its setting says.
        of_captions = 1 if settings.models.caption_url else on_device
        self.clip: Lazy[EmbeddingBatcher] = Lazy(
            lambda: batcher(
                "clip",
                clip,
                partial(_embeddings, clip),
                batch_clip,
                CLIP_GATHER_SECONDS,
                on_device,
                clip.parts,
            )
        )
        self.blip: Lazy[TextBatcher] | None = None
        if blip is not None:
            captions = blip
            self.blip = Lazy(
                lambda: batcher(
                    "blip",
                    captions,
                    captions.caption,
                    batch_blip,
                    BLIP_GATHER_SECONDS,
                    of_captions,
                    captions.parts,
                )
            )
        self.reader: Lazy[TextBatcher] | None = None
        if reader is not None:
            texts = reader
            # It may compute on the same cores as others, so it starts as late as a captioner.
            self.reader = Lazy(lambda: batcher("ocr", texts, texts.read, batch_ocr(), BLIP_GATHER_SECONDS))
        self._names = blip.name if blip is not None else None, reader.name if reader is not None else None
        self._vectors: Recent[NDArray[np.float32]] = Recent()  # of contents that the collection does not hold yet
        self._captions: Recent[str] = Recent()
        self._texts: Recent[str] = Recent()

    def wanted(self, known: KnownContent | None, target: Target) -> Wanted:
        """What a file must still be asked, of which this is known, for a message with this target."""
        blip, reader = self._names
        return Wanted(
            blip is not None and target.blip != "" and (known is None or known.payload.get("blip_model") != blip),
            reader is not None and target.ocr != "" and (known is None or known.payload.get("ocr_model") != reader),
        )

    def submit(self, state: FileState, picture: Picture, wanted: Wanted) -> None:
        """Hand a decoded file to the models; what another file of its content has asked for is waited for."""
        sha256 = state.content.sha256
        if state.known.result() is None:
            state.vector, state.embedded = self._vectors.get(sha256, partial(self.clip().submit, picture.clip))
        if wanted.caption and self.blip is not None and picture.blip is not None:
            state.caption, state.captioned = self._captions.get(sha256, partial(self.blip().submit, picture.blip))
        if wanted.text and self.reader is not None and picture.text is not None:
            state.text, state.was_read = self._texts.get(sha256, partial(self.reader().submit, picture.text))

    def load(self, captions: bool = True) -> None:
        """Load all that a file needs, or all that is needed for its embedding and none for `captions`.

        Raises WrongUse or ServiceMissing with a sentence that says what to do.
        """
        self.clip()
        for batcher in (self.blip, self.reader) if captions else ():
            if batcher is not None:
                batcher()

    def cancel_waiting(self) -> None:
        """Cancel what waits for a model or comes later."""
        self._is_cancelled = True
        for batcher in (self.clip, self.blip, self.reader):
            if batcher is not None and batcher.is_loaded:
                batcher().cancel_waiting()

    def close(self) -> None:
        """Compute what was submitted, then end the threads."""
        for batcher in (self.clip, self.blip, self.reader):
            if batcher is not None and batcher.is_loaded:
                batcher().close()
        self._watchdog.close()


def _embeddings(clip: "Embedder | NullClip", pictures: Sequence[Pixels]) -> list[NDArray[np.float32]]:
    """The embeddings of some pictures; raises LoadError if there is a number in them that is not finite."""
    rows = clip.embed_pictures(pictures)
    if not np.isfinite(rows).all():
        raise LoadError("model", "its embedding has numbers that are not finite")
    return list(rows)
