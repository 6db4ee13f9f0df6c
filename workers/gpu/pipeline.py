"""The way of a file through a GPU worker: read, look up, decode, embed and caption, hand over."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage
from workers.gpu.delivery import Delivery
from workers.gpu.elsewhere import Elsewhere
from workers.gpu.finish import finish
from workers.gpu.hand_over import by_job, points_message
from workers.gpu.hardware import batch_sizes, is_out_of_memory, loaders
from workers.gpu.isolation import Isolation
from workers.gpu.load import decode
from workers.gpu.picture import LoadError, Pixels
from workers.gpu.sources import Sources
from workers.gpu.watchdog import Watchdog
from workers.gpu.work import Finished, Known, Work
from workers.metrics import loading
from workers.microbatcher import MicroBatcher

if TYPE_CHECKING:
    # Not imported in earnest: a worker with the null model starts without torch.
    from workers.gpu.blip import Blip
    from workers.gpu.clip import Clip
    from workers.gpu.null import NullClip

log = logging.getLogger("darkroom.gpu")

HANDOVER_BATCH = 128
LOOK_UP_BATCH = 128
# A look-up or hand-over is one message whatever the number of files; a first batch of one caption costs a CPU seconds.
GATHER_SECONDS = 0.05
Turn = AbstractContextManager[None]


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
        look_up: Callable[[list[str]], Sequence[Known | None]],
        publish: Callable[[PointsMessage], None],
        device_type: str = "cpu",
        count: Callable[[str, int, int], None] = lambda job, embedded, captioned: None,
    ) -> None:
        self.settings = settings
        self.clip = clip
        self.blip = blip
        self._publish = publish
        self._count = count
        self._sources = Sources(settings)
        self.elsewhere = Elsewhere("this machine", set, lambda message, worker: None)
        batch_clip, batch_blip = batch_sizes(settings, device_type)
        self.clip_batcher: MicroBatcher[Pixels, NDArray[np.float32]] = MicroBatcher(
            "clip", lambda batch: list(clip.embed_pictures(batch)), batch_clip, is_out_of_memory
        )
        self.blip_batcher: MicroBatcher[Pixels, str] | None = None
        if blip is not None:
            self.blip_batcher = MicroBatcher("blip", blip.caption, batch_blip, is_out_of_memory, GATHER_SECONDS)
        self._look_up = MicroBatcher("look-up", look_up, LOOK_UP_BATCH, gather_seconds=GATHER_SECONDS)
        self._hand_over = MicroBatcher("hand-over", self._publish_batch, HANDOVER_BATCH, gather_seconds=GATHER_SECONDS)
        self._loaders = threading.BoundedSemaphore(loaders(settings))
        self._isolation = Isolation()
        self._leave: Future[None] = Future()
        self._watchdog = Watchdog(settings.ingest.load_seconds)

    def process(self, message: FilesMessage, ledger: Ledger, redelivered: bool = False) -> list[Failure]:
        """Bring the files of a message to the storage queue, or to the job's error list; returns what it listed there.

        A redelivered file may be one that took its last worker down, so it is loaded and computed alone, with a note in
        the ledger. The first delivery counts as the first attempt: after `ingest.max_attempts` of them the file is
        listed as failed instead, but never before it was tried once alone. Raises CancelledError when the worker is to
        leave before the files are through; they may then be delivered again.
        """
        delivery = Delivery(message, ledger)
        if not redelivered:
            self._bring(delivery, message.files, self._isolation.together)
            return self._settled(delivery)
        numbers = [item.number for item in message.files]
        done, deaths = ledger.done(numbers), ledger.attempts(numbers)
        limit = max(1, self.settings.ingest.max_attempts - 1)
        for item in message.files:
            if item.number in done:
                continue
            with delivery.failing(item):
                if deaths[item.number] >= limit:
                    raise LoadError("load", f"its worker died while working on it, {limit + 1} times over")
                self._bring(delivery, [item], partial(self._isolation.alone, ledger, item.number))
        return self._settled(delivery)

    def hand_back(self, seconds: float) -> None:
        """Begin nothing more and end what waits, with CancelledError; what the models hold gets `seconds` to finish."""
        self._isolation.close()
        for batcher in (self.clip_batcher, self.blip_batcher):
            if batcher is not None:
                batcher.cancel_waiting()
        timer = threading.Timer(seconds, self._leave.set_result, (None,))
        timer.daemon = True
        timer.start()

    def _settled(self, delivery: Delivery) -> list[Failure]:
        self.elsewhere.pass_on(delivery)
        return delivery.failures

    def close(self) -> None:
        """End the batchers' threads once they have worked off what they hold."""
        for batcher in (self._look_up, self.clip_batcher, self.blip_batcher, self._hand_over):
            if batcher is not None:
                batcher.close()
        self._watchdog.close()

    def _bring(self, delivery: Delivery, files: Sequence[FileItem], turn: Callable[[], Turn]) -> None:
        ledger = delivery.ledger
        delivery.under_way = []
        with turn():
            for item in files:
                with delivery.failing(item), self._loading(ledger, item):
                    content = self._sources.read(item.uri, delivery.message.root)
                    delivery.under_way.append(Work(item, content, self._look_up.submit(content.sha256)))
        # Between two turns, for an answer may take seconds, and nothing can crash over it.
        wait([work.known for work in delivery.under_way])
        with turn():
            for work in delivery.under_way:
                with delivery.failing(work.item):
                    self._start_models(work, ledger)
            for work in delivery.under_way:
                with delivery.failing(work.item):
                    self._computed(work.vector)
                    self._computed(work.caption)
        handed_over = []
        for work in delivery.under_way:
            with delivery.failing(work.item):
                row = finish(delivery.message, work, self.clip.name, self.blip.name if self.blip else None)
                handed_over.append((work, self._hand_over.submit(row)))
        for work, handed in handed_over:
            with delivery.failing(work.item):
                handed.result()

    def _start_models(self, work: Work, ledger: Ledger) -> None:
        known = work.known.result()
        wants_caption = self.blip is not None and (known is None or known.payload.get("blip_model") != self.blip.name)
        if known is not None and not wants_caption:
            work.content.data = b""
            return
        with self._loading(ledger, work.item):
            work.picture = decode(
                work.content.data,
                self.settings.ingest.max_pixels,
                self.clip.target,
                self.blip.target if self.blip is not None and wants_caption else None,
            )
        work.content.data, size = b"", len(work.content.data)
        work.picture.facts["bytes"] = size
        if known is None:
            work.vector = self.clip_batcher.submit(work.picture.clip)
        if wants_caption and self.blip_batcher is not None and work.picture.blip is not None:
            work.caption = self.blip_batcher.submit(work.picture.blip)

    def _computed(self, future: Future[Any] | None) -> None:
        """Wait for a model; raises its error, and CancelledError when the worker leaves before it answers."""
        if future is not None:
            wait((future, self._leave), return_when=FIRST_COMPLETED)
            if not future.done():
                raise CancelledError
            future.result()

    def _publish_batch(self, batch: list[Finished]) -> list[None]:
        for job, rows in by_job(batch).items():
            # Before the points are on their way, so that a finished job has the whole count.
            self._count(job, sum(row.embedded for row in rows), sum(row.captioned for row in rows))
            self._publish(points_message(job, rows, self.clip.name, self.clip.dim))
        return [None] * len(batch)

    @contextmanager
    def _loading(self, ledger: Ledger, item: FileItem) -> Iterator[None]:
        def give_up() -> None:
            reason = f"loading it took longer than ingest.load_seconds = {self.settings.ingest.load_seconds}"
            log.error("%s: %s", item.uri, reason)
            ledger.failed([Failure(item.number, item.uri, "load", reason)])

        with self._loaders, self._watchdog.watching(give_up), loading():
            yield
