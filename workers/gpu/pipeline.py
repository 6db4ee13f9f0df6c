"""The way of a file through a GPU worker: read, look up, decode, embed and caption, publish."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pictures.picture import LoadError, Picture
from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, PointsMessage
from workers.gpu.delivery import Delivery, FileState, KnownContent, Wanted, when_all
from workers.gpu.device_failure import end_worker
from workers.gpu.in_flight import InFlight
from workers.gpu.isolation import Isolation
from workers.gpu.loading.choice import loaders_of
from workers.gpu.loading.loader import Loader
from workers.gpu.loading.memory_budget import MemoryBudget
from workers.gpu.loading.pool import LoaderPool
from workers.gpu.loading.steps import LoadingSteps
from workers.gpu.models import EmbeddingBatcher, Models, TextBatcher
from workers.gpu.publish import PointsPublisher
from workers.gpu.reroute import Rerouter
from workers.inference.hardware import in_flight, loaders, read_bytes
from workers.microbatcher import MicroBatcher

if TYPE_CHECKING:
    from workers.inference.captioners.captioner import Captioner
    from workers.inference.device_decode.lazy_decoder import LazyDecoder
    from workers.inference.embedders.embedder import Embedder
    from workers.inference.null import NullClip
    from workers.inference.text_reader import TextReader

PUBLISH_BATCH = 128
LOOK_UP_BATCH = 128
# A look-up or a publication is one message for any number of files.
GATHER_SECONDS = 0.03


class Pipeline:
    """Models behind MicroBatchers, loaded when first used; `process` may be called from many threads at once.

    `look_up` maps a list of sha256 to what is known for each; `publish` sends one PointsMessage and returns when the
    broker has it; `count` notes how many files of a job a model embedded and captioned. Each is called from one thread.
    `rerouter` decides about files that this machine cannot reach; unless it is replaced, they fail. `on_device_failed`
    gets a sentence when the models do not compute any more; the files that wait for them are cancelled. Files are
    loaded by so many `processes`, or by threads of this one.

    The thread that ends a step starts the next one, so the thread of the Celery task sleeps until all files are done.
    """

    def __init__(
        self,
        settings: Settings,
        clip: "Embedder | NullClip",
        blip: "Captioner | None",
        look_up: Callable[[list[str]], Sequence[KnownContent | None]],
        publish: Callable[[PointsMessage], None],
        device_type: str = "cpu",
        count: Callable[[str, int, int], None] = lambda job, embedded, captioned: None,
        on_device_failed: Callable[[str], None] = end_worker,
        reader: "TextReader | None" = None,
        processes: int = 0,
        on_device: "LazyDecoder | None" = None,
    ) -> None:
        self.settings = settings
        self.clip = clip
        self.blip = blip
        self.reader = reader
        self.on_device = on_device
        self.rerouter = Rerouter("this machine", list, lambda message, worker: None)
        self._in_flight = InFlight()
        self.models = Models(settings, clip, blip, device_type, self._in_flight.is_loading, on_device_failed, reader)
        self._look_up_batcher = MicroBatcher("look-up", look_up, LOOK_UP_BATCH, gather_seconds=GATHER_SECONDS)
        names = clip.name, blip.name if blip else None
        publisher = PointsPublisher(*names, publish, count, reader.name if reader else None, lambda: clip.preprocessing)
        self._publish_batcher: MicroBatcher[tuple[FilesMessage, FileState], None] = MicroBatcher(
            "hand-over", publisher.publish, PUBLISH_BATCH, gather_seconds=GATHER_SECONDS
        )
        self._budget = MemoryBudget(read_bytes(settings))
        self.loaders = LoaderPool(
            loaders_of(
                settings,
                processes,
                in_flight(settings, self.models.largest_batch),
                device_type,
                self._budget,
                on_device_failed,
                on_device,
            ),
            processes or loaders(settings, on_device is not None),
            self._in_flight.is_stopped,
        )
        self._isolation = Isolation()
        self._steps = LoadingSteps(self.models, self._look_up_batcher, clip, blip, reader)

    @property
    def clip_batcher(self) -> EmbeddingBatcher:
        """What embeds pictures; it is loaded where it is not."""
        return self.models.clip()

    @property
    def blip_batcher(self) -> TextBatcher | None:
        """What writes captions, None where none are written."""
        return self.models.blip() if self.models.blip is not None else None

    def process(self, message: FilesMessage, ledger: Ledger, redelivered: bool = False) -> list[Failure]:
        """Publish the points of the files of a message; returns the files that failed, as the ledger lists them.

        A redelivered file may be the one that killed its last worker, so it is loaded and computed alone, with a note
        in the ledger. The first delivery counts as the first attempt: after `ingest.max_attempts` of them the file is
        listed as failed instead, but never before it was tried once alone. Raises CancelledError when the worker stops
        before the files are done; they may then be delivered again.
        """
        delivery = self.open(message, ledger)
        if not redelivered:
            self.begin(delivery)
            return self.finish(delivery)
        self._process_one_by_one(delivery)
        self.rerouter.reroute(delivery)
        return delivery.failures

    def open(self, message: FilesMessage, ledger: Ledger) -> Delivery:
        """A delivery of these files, for `begin`."""
        return Delivery(message, ledger, self._budget)

    def begin(self, delivery: Delivery) -> None:
        """Have its files done by the threads of this pipeline; nobody waits until `finish`."""
        self._in_flight.add(delivery)
        self.loaders.submit(delivery, self._read_step)

    def finish(self, delivery: Delivery) -> list[Failure]:
        """Wait for the files that were begun, and do those that did not fit beside them; see `process`."""
        try:
            delivery.wait_completed()
        finally:
            self._in_flight.discard(delivery)
        while delivery.unread:
            rest = self.open(replace(delivery.message, files=delivery.unread), delivery.ledger)
            # Here nobody waits for this thread, and what was read before has gone back.
            rest.lease.prepay(delivery.lacking)
            with self._in_flight.track(rest):
                self.loaders.submit(rest, self._read_step)
                rest.wait_completed()
            delivery.merge(rest)
        self.rerouter.reroute(delivery)
        return delivery.failures

    def decode_query(self, data: bytes, name: str, captions: bool = False) -> Picture:
        """Decode a picture of a question, within the limits of files; raises LoadError with the reason if it fails."""
        return self.loaders.idle().decode(data, name, self._steps.inputs(Wanted(caption=captions)))

    def cancel(self, grace_seconds: float) -> None:
        """Start nothing more and cancel what waits; what the models compute gets `grace_seconds` to finish."""
        self._isolation.close()
        self._budget.close()
        self.models.cancel_waiting()
        timer = threading.Timer(grace_seconds, self._in_flight.cancel)
        timer.daemon = True
        timer.start()

    def stop_job(self, job: str) -> None:
        """Begin no more files of this job: `process` raises CancelledError for those that are in no model yet."""
        self._in_flight.stop_job(job)

    def close(self) -> None:
        """End all threads once they have done what was submitted."""
        self.loaders.close()
        if self.on_device is not None:
            self.on_device.close()
        self._look_up_batcher.close()
        self.models.close()
        self._publish_batcher.close()

    def _read_step(self, deliveries: Sequence[Delivery], loader: Loader) -> None:
        with self._isolation.shared():
            self._steps.read(deliveries, loader)
        # Outside of the shared mode: the answers may take seconds, and waiting for them cannot crash.
        for delivery in deliveries:
            when_all(
                [state.known for state in delivery.pending],
                partial(self.loaders.submit, delivery, self._load_step),
            )

    def _load_step(self, deliveries: Sequence[Delivery], loader: Loader) -> None:
        self._isolation.acquire_shared(len(deliveries))
        failures = self._steps.load(deliveries, loader)
        for delivery in deliveries:
            # Listed first, because `complete` drops the pending files: the models may still compute some of them.
            futures = delivery.model_futures()
            if (failure := failures.get(delivery)) is not None:
                delivery.complete(failure)
            when_all(futures, partial(self._on_computed, delivery))

    def _on_computed(self, delivery: Delivery) -> None:
        self._isolation.release_shared()
        self._publish(delivery)

    def _process_one_by_one(self, delivery: Delivery) -> None:
        ledger, message = delivery.ledger, delivery.message
        numbers = [item.number for item in message.files]
        done, attempts = ledger.done(numbers), ledger.attempts(numbers)
        limit = max(1, self.settings.ingest.max_attempts - 1)
        for item in message.files:
            if item.number in done:
                continue
            single = self.open(replace(message, files=[item]), ledger)
            with self._in_flight.track(single):
                try:
                    if attempts[item.number] >= limit:
                        raise LoadError("load", f"its worker died while working on it, {limit + 1} times over")
                    self._process_alone(single, partial(self._isolation.exclusive, ledger, item.number))
                except Exception as error:  # raised again unless it is the fault of the file
                    single.fail(item, error)
            delivery.merge(single)

    def _process_alone(self, delivery: Delivery, exclusive: Callable[[], AbstractContextManager[None]]) -> None:
        loader = self.loaders.loader_of(delivery)
        with exclusive():
            self._steps.read([delivery], loader)
        while delivery.unread:
            delivery.lease.prepay(delivery.lacking)
            with exclusive():
                self._steps.read([delivery], loader)
        delivery.wait_for([state.known for state in delivery.pending])
        with exclusive():
            for failure in self._steps.load([delivery], loader).values():
                raise failure
            delivery.wait_for(delivery.model_futures())
        self._publish(delivery)
        delivery.wait_completed()

    def _publish(self, delivery: Delivery) -> None:
        """Submit what the models have computed; a batcher's thread calls this, so it must be quick."""
        if any(future.cancelled() for future in delivery.model_futures()):
            delivery.complete(CancelledError())
        if delivery.is_completed:  # the worker stops without these files
            return
        try:
            for state in delivery.pending:
                state.published = self._publish_batcher.submit((delivery.message, state))
        except RuntimeError as error:  # the batcher is closed
            delivery.complete(error)
        when_all([state.published for state in delivery.pending if state.published], delivery.complete)
