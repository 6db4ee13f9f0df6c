"""One message that this worker processes: the state of each of its files, and which of them failed."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import RedisError

from pictures.picture import Content, LoadError, NotReachable
from tasks.broken_files import BrokenFile, BrokenFiles
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage
from workers.gpu.loading.memory_budget import Lease, MemoryBudget, NoRoom
from workers.logs import about_file

log = logging.getLogger("darkroom.gpu")


@dataclass
class KnownContent:
    """What the collection already holds for some content: its embedding, and its payload with the caption."""

    vector: NDArray[np.float32]
    payload: dict[str, Any]


class Wanted(NamedTuple):
    """What models must tell of a file beside its embedding: a caption, the text in it."""

    caption: bool = False
    text: bool = False

    def __bool__(self) -> bool:
        return self.caption or self.text


@dataclass(eq=False, slots=True)
class FileState:
    """One file of a delivery: its content, and the futures of the steps that it has entered.

    `embedded`, `captioned` and `was_read` are True where a model computed for this file, and not for another one of its
    content; `text` is what stands in the picture.
    `facts` are those that its loader tells; without those of decoding where it is not `is_decoded`.
    """

    item: FileItem
    content: Content
    known: Future[KnownContent | None]
    facts: dict[str, Any] = field(default_factory=dict)
    is_decoded: bool = False
    vector: Future[NDArray[np.float32]] | None = None
    caption: Future[str] | None = None
    text: Future[str] | None = None
    published: Future[None] | None = None
    embedded: bool = False
    captioned: bool = False
    was_read: bool = False


class Delivery:
    """The files of one message: `pending` may still be stored, `failures` will not.

    `unreachable` are files that this machine cannot open, each with the reason. `lease` is the memory that the bytes of
    the files take; `unread` are files for which there was no room, of which the first needs `lacking` bytes.
    It `is_completed` when every pending file is published or has failed. `is_loaded` becomes True once no file of it
    will be submitted to the models any more. `context` is that of the thread that created the delivery: log lines
    written inside it name the job. `then` is called once it is completed. `loader` is the place of the loader that
    keeps the bytes of its files.
    """

    def __init__(self, message: FilesMessage, ledger: Ledger, budget: MemoryBudget | None = None) -> None:
        self.message = message
        self.ledger = ledger
        self.lease = Lease(budget or MemoryBudget(sys.maxsize))
        self.unread: list[FileItem] = []
        self.lacking = 0
        self.pending: list[FileState] = []
        self.failures: list[Failure] = []
        self.unreachable: list[tuple[FileItem, str]] = []
        self.is_completed = self.is_loaded = False
        self.then: Callable[[], None] | None = None
        self._first = threading.Lock()
        self._error: BaseException | None = None
        # One thread waits, for little: a Future has a Condition, which in Python costs more than waking that thread up.
        self._news: SimpleQueue[BaseException | None] = SimpleQueue()
        self.context = copy_context()
        self.loader: int | None = None

    def complete(self, error: BaseException | None = None) -> None:
        """Have `wait_completed` go on, with an error if one is given; the first call decides."""
        if self._first.acquire(blocking=False):
            self._error, self.is_completed = error, True
            self._news.put(error)
            then, self.then = self.then, None  # what it knows may know this delivery
            if then is not None:
                then()

    @property
    def is_smooth(self) -> bool:
        """True for one that is completed and of which every file is published: nothing is left to be done."""
        if self._error is not None or self.failures or self.unread or self.unreachable:
            return False
        return all(state.published is not None and state.published.exception() is None for state in self.pending)

    def model_futures(self) -> list[Future[Any]]:
        """What the models compute, or have computed, for the pending files."""
        futures = (future for state in self.pending for future in (state.vector, state.caption, state.text))
        return [future for future in futures if future is not None]

    def wait_for(self, futures: Sequence[Future[Any]]) -> None:
        """Return when all these futures are done; raises CancelledError if the delivery is cancelled first."""
        when_all(futures, partial(self._news.put, None))
        self._wait()

    def wait_completed(self) -> None:
        """Wait for the end and record the files that failed; raises the error that ended the whole delivery."""
        self._wait()
        for state in self.pending:
            assert state.published is not None
            if (error := state.published.exception()) is not None:
                self.fail(state.item, error)

    def _wait(self) -> None:
        error = self._news.get()
        if error is not None:
            raise error

    def merge(self, other: "Delivery") -> None:
        """Add what became of the files of a part of this delivery; what that part has left unread is left."""
        self.failures += other.failures
        self.unreachable += other.unreachable
        self.unread, self.lacking = other.unread, other.lacking

    def attempt(self, step: Callable[["Delivery"], None]) -> BaseException | None:
        """Run a step in a copy of the context; returns the error that it ends with."""
        try:
            self.context.copy().run(step, self)
        except BaseException as error:
            return error
        return None

    def record_too_slow(self, item: FileItem, reason: str) -> None:
        """Note that a file hangs, in the ledger alone: this process is about to end."""
        self.ledger.failed([Failure(item.number, item.uri, "load", reason)])

    def fail(self, item: FileItem, error: BaseException) -> None:
        """Record why a file will not be stored, in log lines that name it: it is not pending any more.

        What is not the fault of the file is raised again: a ledger that is away, a worker that stops, memory that
        others have.
        """
        if not isinstance(error, Exception) or isinstance(error, RedisError | CancelledError | NoRoom):
            raise error
        with about_file(item.uri):
            self._record_failure(item, error)

    def _record_failure(self, item: FileItem, error: Exception) -> None:
        if isinstance(error, NotReachable):
            self.unreachable.append((item, error.reason))
            return
        if isinstance(error, LoadError):
            failure = Failure(item.number, item.uri, error.stage, error.reason)
            log.warning("%s", error.reason)
            if error.file is not None:
                # Before the ledger, by which the next ingest may begin.
                broken = BrokenFile(item.uri, *error.file, error.stage, error.reason)
                BrokenFiles(self.ledger.client).keep([broken])
        else:
            reason = f"{type(error).__name__}: {error}"[:300]
            failure = Failure(item.number, item.uri, "model", f"unexpected error, see the worker's log ({reason})")
            log.error("%s", reason, exc_info=error)
        self.ledger.failed([failure])
        self.failures.append(failure)
        self.pending = [state for state in self.pending if state.item is not item]


def when_all(futures: Sequence[Future[Any]], callback: Callable[[], None]) -> None:
    """Call `callback` once, when all these futures have a result, an error or were cancelled; at once if they have.

    The thread that resolves the last future calls it, so it must be quick and must not raise.
    """
    if len(futures) == 1:  # a file in its own message
        futures[0].add_done_callback(lambda _: callback())
        return
    remaining = len(futures) + 1
    lock = threading.Lock()

    def count_down(_: Future[Any] | None = None) -> None:
        nonlocal remaining
        with lock:
            remaining -= 1
            is_last = not remaining
        if is_last:
            callback()

    for future in futures:
        future.add_done_callback(count_down)
    count_down()
