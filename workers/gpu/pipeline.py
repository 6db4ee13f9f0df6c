"""The way of a file through a GPU worker: read, look up, decode, embed and caption, publish."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pictures.picture import LoadError, Picture
from pictures.reading import Sources
from settings import Settings
from tasks.ledger import Failure, Ledger
from tasks.messages import FilesMessage, PointsMessage
from workers.gpu.decoder import Decoder
from workers.gpu.delivery import Delivery, FileState, InFlight, KnownContent, when_all
from workers.gpu.device_failure import end_worker
from workers.gpu.isolation import Isolation
from workers.gpu.loaders import LoaderPool
from workers.gpu.memory_budget import MemoryBudget, NoRoom
from workers.gpu.models import Models
from workers.gpu.publish import PointsPublisher
from workers.gpu.reroute import Rerouter
from workers.inference.memory import read_bytes
from workers.microbatcher import MicroBatcher

if TYPE_CHECKING:
    # Imported for the types only: a worker with the null model starts without torch.
    from workers.inference.blip import Blip
    from workers.inference.clip import Clip
    from workers.inference.null import NullClip

PUBLISH_BATCH = 128
LOOK_UP_BATCH = 128
# A look-up or a publication is one message for any number of files.
GATHER_SECONDS = 0.03


class Pipeline:
    """Loaded models behind MicroBatchers; `process` may be called from many threads at once.

    `look_up` maps a list of sha256 to what is known for each; `publish` sends one PointsMessage and returns when the
    broker has it; `count` notes how many files of a job a model embedded and captioned. Each is called from one thread.
    `rerouter` decides about files that this machine cannot reach; unless it is replaced, they fail. `on_device_failed`
    gets a sentence when the models do not compute any more; the files that wait for them are cancelled.

    The thread that ends a step starts the next one, so the thread of the Celery task sleeps until all files are done.
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
        on_device_failed: Callable[[str], None] = end_worker,
    ) -> None:
        self.settings = settings
        self.clip = clip
        self.blip = blip
        self.rerouter = Rerouter("this machine", list, lambda message, worker: None)
        self._sources = Sources(settings)
        self._in_flight = InFlight()
        self._models = Models(settings, clip, blip, device_type, self._in_flight.is_loading, on_device_failed)
        self.clip_batcher, self.blip_batcher = self._models.clip, self._models.blip
        self._look_up_batcher = MicroBatcher("look-up", look_up, LOOK_UP_BATCH, gather_seconds=GATHER_SECONDS)
        publisher = PointsPublisher(clip.name, clip.dim, blip.name if blip else None, publish, count)
        self._publish_batcher: MicroBatcher[tuple[FilesMessage, FileState], None] = MicroBatcher(
            "hand-over", publisher.publish, PUBLISH_BATCH, gather_seconds=GATHER_SECONDS
        )
        self._loaders = LoaderPool(settings)
        self._budget = MemoryBudget(read_bytes(settings))
        self._decoder = Decoder(settings.ingest.max_pixels, clip.model_input, blip.model_input if blip else None)
        self._isolation = Isolation()

    def process(self, message: FilesMessage, ledger: Ledger, redelivered: bool = False) -> list[Failure]:
        """Publish the points of the files of a message; returns the files that failed, as the ledger lists them.

        A redelivered file may be the one that killed its last worker, so it is loaded and computed alone, with a note
        in the ledger. The first delivery counts as the first attempt: after `ingest.max_attempts` of them the file is
        listed as failed instead, but never before it was tried once alone. Raises CancelledError when the worker stops
        before the files are done; they may then be delivered again.
        """
        delivery = Delivery(message, ledger, self._budget)
        if redelivered:
            self._process_one_by_one(delivery)
        else:
            self._process_together(delivery)
        self.rerouter.reroute(delivery)
        return delivery.failures

    def decode_query(self, data: bytes, name: str, captions: bool = False) -> Picture:
        """Decode a picture of a question, within the limits of files; raises LoadError with the reason if it fails."""
        return self._decoder.decode(data, captions, self._loaders.time_limit(name))

    def cancel(self, grace_seconds: float) -> None:
        """Start nothing more and cancel what waits; what the models compute gets `grace_seconds` to finish."""
        self._isolation.close()
        self._budget.close()
        self._models.cancel_waiting()
        timer = threading.Timer(grace_seconds, self._in_flight.cancel)
        timer.daemon = True
        timer.start()

    def close(self) -> None:
        """End all threads once they have done what was submitted."""
        self._loaders.close()
        self._look_up_batcher.close()
        self._models.close()
        self._publish_batcher.close()

    def _process_together(self, delivery: Delivery) -> None:
        with self._in_flight.track(delivery):
            self._loaders.submit(delivery, self._read_step)
            delivery.wait_completed()
        while delivery.unread:
            rest = Delivery(replace(delivery.message, files=delivery.unread), delivery.ledger, self._budget)
            # Here nobody waits for this thread, and what was read before has gone back.
            rest.lease.prepay(delivery.lacking)
            with self._in_flight.track(rest):
                self._loaders.submit(rest, self._read_step)
                rest.wait_completed()
            delivery.merge(rest)

    def _read_step(self, delivery: Delivery) -> None:
        with self._isolation.shared():
            self._read(delivery)
        # Outside of the shared mode: the answers may take seconds, and waiting for them cannot crash.
        when_all(
            [state.known for state in delivery.pending],
            lambda: self._loaders.submit(delivery, self._compute_step),
        )

    def _compute_step(self, delivery: Delivery) -> None:
        def on_computed() -> None:
            self._isolation.release_shared()
            self._publish(delivery)

        self._isolation.acquire_shared()
        failure: BaseException | None = None
        try:
            self._start_models(delivery)
        except BaseException as error:
            failure = error
        # Listed first, because `complete` drops the pending files: the models may still compute some of them.
        futures = delivery.model_futures()
        if failure is not None:
            delivery.complete(failure)
        when_all(futures, on_computed)

    def _process_one_by_one(self, delivery: Delivery) -> None:
        ledger, message = delivery.ledger, delivery.message
        numbers = [item.number for item in message.files]
        done, attempts = ledger.done(numbers), ledger.attempts(numbers)
        limit = max(1, self.settings.ingest.max_attempts - 1)
        for item in message.files:
            if item.number in done:
                continue
            single = Delivery(replace(message, files=[item]), ledger, self._budget)
            with self._in_flight.track(single), single.catch_errors(item):
                if attempts[item.number] >= limit:
                    raise LoadError("load", f"its worker died while working on it, {limit + 1} times over")
                self._process_alone(single, partial(self._isolation.exclusive, ledger, item.number))
            delivery.merge(single)

    def _process_alone(self, delivery: Delivery, exclusive: Callable[[], AbstractContextManager[None]]) -> None:
        with exclusive():
            self._read(delivery)
        while delivery.unread:
            delivery.lease.prepay(delivery.lacking)
            with exclusive():
                self._read(delivery)
        delivery.wait_for([state.known for state in delivery.pending])
        with exclusive():
            self._start_models(delivery)
            delivery.wait_for(delivery.model_futures())
        self._publish(delivery)
        delivery.wait_completed()

    def _read(self, delivery: Delivery) -> None:
        """Read the files of a delivery; those for which there is no room stay `unread`."""
        files, delivery.unread = delivery.message.files, []
        for place, item in enumerate(files):
            try:
                with delivery.catch_errors(item), self._loaders.time_limit_of(delivery.ledger, item):
                    content = self._sources.read(item.uri, delivery.message.root, delivery.lease.reserve)
                    delivery.lease.settle(len(content.data))
                    delivery.pending.append(FileState(item, content, self._look_up_batcher.submit(content.sha256)))
            except NoRoom as error:
                delivery.unread, delivery.lacking = files[place:], error.size
                return

    def _start_models(self, delivery: Delivery) -> None:
        for state in delivery.pending:
            with delivery.catch_errors(state.item):
                self._start_models_for(state, delivery)
        delivery.is_loaded = True

    def _start_models_for(self, state: FileState, delivery: Delivery) -> None:
        known = state.known.result()
        needs_caption = self.blip is not None and (known is None or known.payload.get("blip_model") != self.blip.name)
        data, state.content.data = state.content.data, b""
        size = len(data)
        try:
            if known is not None and not needs_caption:
                return
            limit = self._loaders.time_limit_of(delivery.ledger, state.item)
            state.picture = self._decoder.decode(data, needs_caption, limit)
        finally:
            del data
            delivery.lease.give_back(size)
        state.picture.facts["bytes"] = size
        if known is None:
            state.vector = self.clip_batcher.submit(state.picture.clip)
        if needs_caption and self.blip_batcher is not None and state.picture.blip is not None:
            state.caption = self.blip_batcher.submit(state.picture.blip)

    def _publish(self, delivery: Delivery) -> None:
        """Submit what the models have computed; a batcher's thread calls this, so it must be quick."""
        if any(future.cancelled() for future in delivery.model_futures()):
            delivery.complete(CancelledError())
        if delivery.completed.done():  # the worker stops without these files
            return
        try:
            for state in delivery.pending:
                state.published = self._publish_batcher.submit((delivery.message, state))
        except RuntimeError as error:  # the batcher is closed
            delivery.complete(error)
        when_all([state.published for state in delivery.pending if state.published], delivery.complete)
