"""One message in the hands of a worker: the state of its files, which are under way and which have failed alone."""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, InvalidStateError, wait
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import RedisError

from pictures.picture import Content, LoadError, NotReachable, Picture
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage
from workers.logs import about_file

log = logging.getLogger("darkroom.gpu")


class Delivery:
    """The files of one message: `under_way` are those that may still be stored, `failures` those that will not.

    `not_reached` are files that lie where this machine does not see them, each with the reason. `through` ends when
    every file under way has been handed over or has failed; `is_loaded` is True once nothing more of it will come to
    the models. `context` is that of the thread that opened the delivery: lines that others write to the log inside it
    name the job.
    """

    def __init__(self, message: FilesMessage, ledger: Ledger) -> None:
        self.message = message
        self.ledger = ledger
        self.under_way: list[Work] = []
        self.failures: list[Failure] = []
        self.not_reached: list[tuple[FileItem, str]] = []
        self.through: Future[None] = Future()
        self.is_loaded = False
        self.context = copy_context()

    def end(self, error: BaseException | None = None) -> None:
        """End `through`, with an error if there is one; what has ended stays as it is."""
        with suppress(InvalidStateError):
            if error is None:
                self.through.set_result(None)
            else:
                self.through.set_exception(error)

    def in_models(self) -> list[Future[Any]]:
        """What the models still owe, or have answered, for the files under way."""
        return [future for work in self.under_way for future in (work.vector, work.caption) if future is not None]

    def wait_for(self, futures: Sequence[Future[Any]]) -> None:
        """Return when these have ended; raises CancelledError when the worker leaves before they have."""
        ended: Future[None] = Future()
        when_all(futures, lambda: ended.set_result(None))
        wait((ended, self.through), return_when=FIRST_COMPLETED)
        if self.through.done():
            self.through.result()

    def settle(self) -> None:
        """Wait until all is through, and list what has failed; raises what ended the delivery as a whole."""
        self.through.result()
        for work in self.under_way:
            with self.failing(work.item):
                assert work.handed is not None
                work.handed.result()

    def take(self, other: "Delivery") -> None:
        """Take over how the files of another delivery ended."""
        self.failures += other.failures
        self.not_reached += other.not_reached

    def failing(self, item: FileItem) -> "Failing":
        """Let one file fail alone: its reason goes to the ledger, and it leaves the files under way."""
        return Failing(self, item)

    def failed(self, item: FileItem, error: Exception) -> None:
        """Note why a file will not be stored."""
        if isinstance(error, NotReachable):
            self.not_reached.append((item, error.reason))
            return
        if isinstance(error, LoadError):
            failure = Failure(item.number, item.uri, error.stage, error.reason)
            log.warning("%s", error.reason)
        else:
            reason = f"{type(error).__name__}: {error}"[:300]
            failure = Failure(item.number, item.uri, "model", f"unexpected error, see the worker's log ({reason})")
            log.error("%s", reason, exc_info=error)
        self.ledger.failed([failure])
        self.failures.append(failure)
        self.under_way = [work for work in self.under_way if work.item is not item]


class Failing:
    """What `Delivery.failing` returns. Every file goes through it four times, and a generator costs twice as much."""

    def __init__(self, delivery: Delivery, item: FileItem) -> None:
        self._delivery = delivery
        self._item = item
        self._about = about_file(item.uri)

    def __enter__(self) -> None:
        self._about.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        try:
            # A ledger that is away and a worker that leaves say nothing about the file.
            if not isinstance(error, Exception) or isinstance(error, RedisError | CancelledError):
                return False
            self._delivery.failed(self._item, error)
            return True
        finally:
            self._about.__exit__()


class Deliveries:
    """The deliveries that threads of this worker wait for."""

    def __init__(self) -> None:
        self._held: set[Delivery] = set()

    @contextmanager
    def holding(self, delivery: Delivery) -> Iterator[None]:
        """Count this one in."""
        self._held.add(delivery)
        try:
            yield
        finally:
            self._held.discard(delivery)
            # Its futures know what follows them, which knows the delivery: a circle that would keep every picture in
            # memory until somebody looks for garbage.
            delivery.under_way = []

    def are_loading(self) -> bool:
        """True while something may still come to the models."""
        return not all(delivery.is_loaded for delivery in list(self._held))

    def leave(self) -> None:
        """End all that are there with CancelledError."""
        for delivery in list(self._held):
            delivery.end(CancelledError())


def when_all(futures: Sequence[Future[Any]], then: Callable[[], None]) -> None:
    """Call `then` once all of these have a result, an error or were cancelled; at once where they have already.

    It is called by the thread that ends the last of them, so it must be quick and must not raise.
    """
    left = len(futures) + 1
    lock = threading.Lock()

    def one_less(_: Future[Any] | None = None) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = not left
        if last:
            then()

    for future in futures:
        future.add_done_callback(one_less)
    one_less()


@dataclass
class KnownContent:
    """What the collection already holds for some content: its embedding, and its payload with the caption."""

    vector: NDArray[np.float32]
    payload: dict[str, Any]


@dataclass(eq=False)
class Work:
    """One file under way."""

    item: FileItem
    content: Content
    known: Future[KnownContent | None]
    picture: Picture | None = None
    vector: Future[NDArray[np.float32]] | None = None
    caption: Future[str] | None = None
    handed: Future[None] | None = None


@dataclass
class Finished:
    """One file that is ready to be stored."""

    job: str
    number: int
    vector: NDArray[np.float32]
    payload: dict[str, Any]
    embedded: bool
    captioned: bool

    @property
    def reused(self) -> bool:
        """True when no model saw the file."""
        return not (self.embedded or self.captioned)
