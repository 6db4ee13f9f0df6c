"""The way of a file through a GPU worker: read, look up, decode, embed and caption, hand over."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pictures.decode import decode
from pictures.picture import LoadError, Pixels
from pictures.reading import Sources
from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, PointsMessage
from workers.gpu.delivery import Deliveries, Delivery, KnownContent, Work, when_all
from workers.gpu.finish import Sender
from workers.gpu.isolation import Isolation
from workers.gpu.loaders import Loaders
from workers.gpu.reroute import Reroute
from workers.inference.hardware import batch_sizes, is_out_of_memory
from workers.microbatcher import MicroBatcher

if TYPE_CHECKING:
    # Not imported in earnest: a worker with the null model starts without torch.
    from workers.inference.blip import Blip
    from workers.inference.clip import Clip
    from workers.inference.null import NullClip

HANDOVER_BATCH = 128
LOOK_UP_BATCH = 128
# A look-up or hand-over is one message whatever the number of files; a first batch of one caption costs a CPU seconds.
GATHER_SECONDS = 0.03
CLIP_GATHER_SECONDS = 0.005


class Pipeline:
    """Warm models behind MicroBatchers; `process` may be called from many threads at once.

    `look_up` maps a list of sha256 to what is known for each; `publish` sends one PointsMessage and returns when the
    broker has it; `count` notes how many files of a job a model embedded and captioned. Each is called from one thread.
    `elsewhere` decides about files that this machine does not reach; unless it is replaced, they fail.
    """

    def __init__(
        self,
        settings: Settings,
        clip: "Clip | NullClip",
        blip: "Blip | None",
        look_up: Callable[[list[str]], Sequence[KnownContent | None]],
        publish: Callable[[PointsMessage], None],
        device_type: str = "cpu",
        count: Callable[[str, int, int], None] = lambda job, embedded, captioned: None,
    ) -> None:
        self.settings = settings
        self.clip = clip
        self.blip = blip
        self._sources = Sources(settings)
        self.reroute = Reroute("this machine", set, lambda message, worker: None)
        self._deliveries = Deliveries()
        batch_clip, batch_blip = batch_sizes(settings, device_type)
        loading = self._deliveries.are_loading
        self.clip_batcher: MicroBatcher[Pixels, NDArray[np.float32]] = MicroBatcher(
            "clip",
            lambda batch: list(clip.embed_pictures(batch)),
            batch_clip,
            is_out_of_memory,
            CLIP_GATHER_SECONDS,
            loading,
        )
        self.blip_batcher: MicroBatcher[Pixels, str] | None = None
        if blip is not None:
            self.blip_batcher = MicroBatcher(
                "blip", blip.caption, batch_blip, is_out_of_memory, GATHER_SECONDS, loading
            )
        self._look_up = MicroBatcher("look-up", look_up, LOOK_UP_BATCH, gather_seconds=GATHER_SECONDS)
        sender = Sender(clip.name, clip.dim, blip.name if blip else None, publish, count)
        self._hand_over: MicroBatcher[tuple[FilesMessage, Work], None] = MicroBatcher(
            "hand-over", sender.send, HANDOVER_BATCH, gather_seconds=GATHER_SECONDS
        )
        self._loaders = Loaders(settings)
        self._isolation = Isolation()

    def process(self, message: FilesMessage, ledger: Ledger, redelivered: bool = False) -> list[Failure]:
        """Bring the files of a message to the storage queue, or to the job's error list; returns what it listed there.

        A redelivered file may be one that took its last worker down, so it is loaded and computed alone, with a note in
        the ledger. The first delivery counts as the first attempt: after `ingest.max_attempts` of them the file is
        listed as failed instead, but never before it was tried once alone. Raises CancelledError when the worker is to
        leave before the files are through; they may then be delivered again.
        """
        delivery = Delivery(message, ledger)
        if redelivered:
            self._bring_each_alone(delivery)
        else:
            with self._deliveries.holding(delivery):
                self._loaders.submit(delivery, self._read_together)
                delivery.settle()
        self.reroute.pass_on(delivery)
        return delivery.failures

    def hand_back(self, seconds: float) -> None:
        """Begin nothing more and end what waits, with CancelledError; what the models hold gets `seconds` to finish."""
        self._isolation.close()
        for batcher in (self.clip_batcher, self.blip_batcher):
            if batcher is not None:
                batcher.cancel_waiting()
        timer = threading.Timer(seconds, self._deliveries.leave)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """End all threads once they have worked off what they hold."""
        self._loaders.close()
        for batcher in (self._look_up, self.clip_batcher, self.blip_batcher, self._hand_over):
            if batcher is not None:
                batcher.close()

    def _read_together(self, delivery: Delivery) -> None:
        with self._isolation.together():
            self._read(delivery)
        # Out of turn, for an answer may take seconds, and nothing can crash over it.
        when_all(
            [work.known for work in delivery.under_way],
            lambda: self._loaders.submit(delivery, self._compute_together),
        )

    def _compute_together(self, delivery: Delivery) -> None:
        def computed() -> None:
            self._isolation.leave()
            self._hand_all_over(delivery)

        self._isolation.enter()
        failure: BaseException | None = None
        try:
            self._start_models(delivery)
        except BaseException as error:
            failure = error
        # Asked before the delivery ends and forgets them: the models may have some of its files all the same.
        owed = delivery.in_models()
        if failure is not None:
            delivery.end(failure)
        when_all(owed, computed)

    def _bring_each_alone(self, delivery: Delivery) -> None:
        ledger, message = delivery.ledger, delivery.message
        numbers = [item.number for item in message.files]
        done, deaths = ledger.done(numbers), ledger.attempts(numbers)
        limit = max(1, self.settings.ingest.max_attempts - 1)
        for item in message.files:
            if item.number in done:
                continue
            single = Delivery(replace(message, files=[item]), ledger)
            with self._deliveries.holding(single), single.failing(item):
                if deaths[item.number] >= limit:
                    raise LoadError("load", f"its worker died while working on it, {limit + 1} times over")
                self._bring_alone(single, partial(self._isolation.alone, ledger, item.number))
            delivery.take(single)

    def _bring_alone(self, delivery: Delivery, turn: Callable[[], AbstractContextManager[None]]) -> None:
        with turn():
            self._read(delivery)
        delivery.wait_for([work.known for work in delivery.under_way])
        with turn():
            self._start_models(delivery)
            delivery.wait_for(delivery.in_models())
        self._hand_all_over(delivery)
        delivery.settle()

    def _read(self, delivery: Delivery) -> None:
        for item in delivery.message.files:
            with delivery.failing(item), self._loaders.loading(delivery.ledger, item):
                content = self._sources.read(item.uri, delivery.message.root)
                delivery.under_way.append(Work(item, content, self._look_up.submit(content.sha256)))

    def _start_models(self, delivery: Delivery) -> None:
        for work in delivery.under_way:
            with delivery.failing(work.item):
                self._start_models_for(work, delivery.ledger)
        delivery.is_loaded = True

    def _start_models_for(self, work: Work, ledger: Ledger) -> None:
        known = work.known.result()
        wants_caption = self.blip is not None and (known is None or known.payload.get("blip_model") != self.blip.name)
        if known is not None and not wants_caption:
            work.content.data = b""
            return
        with self._loaders.loading(ledger, work.item):
            work.picture = decode(
                work.content.data,
                self.settings.ingest.max_pixels,
                self.clip.model_input,
                self.blip.model_input if self.blip is not None and wants_caption else None,
            )
        work.content.data, size = b"", len(work.content.data)
        work.picture.facts["bytes"] = size
        if known is None:
            work.vector = self.clip_batcher.submit(work.picture.clip)
        if wants_caption and self.blip_batcher is not None and work.picture.blip is not None:
            work.caption = self.blip_batcher.submit(work.picture.blip)

    def _hand_all_over(self, delivery: Delivery) -> None:
        """Send off what the models have done; called by one of their threads, so nothing else happens here."""
        if any(future.cancelled() for future in delivery.in_models()):
            delivery.end(CancelledError())
        if delivery.through.done():  # the worker leaves without these files
            return
        try:
            for work in delivery.under_way:
                work.handed = self._hand_over.submit((delivery.message, work))
        except RuntimeError as error:
            delivery.end(error)
        when_all([work.handed for work in delivery.under_way if work.handed], delivery.end)
