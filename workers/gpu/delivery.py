"""One message that this worker processes: the state of each of its files, and which of them failed."""

import logging
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, InvalidStateError, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any

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


@dataclass(frozen=True)
class Wanted:
    """What models must tell of a file beside its embedding: a caption, the text in it."""

    caption: bool = False
    text: bool = False

    def __bool__(self) -> bool:
        return self.caption or self.text


@dataclass(eq=False)
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
    `completed` resolves when every pending file is published or has failed. `is_loaded` becomes True once no file of it
    will be submitted to the models any more. `context` is that of the thread that created the delivery: log lines
    written inside it name the job. `loader` is the place of the loader that keeps the bytes of its files.
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
        self.completed: Future[None] = Future()
        self.is_loaded = False
        self.context = copy_context()
        self.loader: int | None = None

    def complete(self, error: BaseException | None = None) -> None:
        """Resolve `completed`, with an error if one is given; the first call decides."""
        with suppress(InvalidStateError):
            if error is None:
                self.completed.set_result(None)
            else:
                self.completed.set_exception(error)

    def model_futures(self) -> list[Future[Any]]:
        """What the models compute, or have computed, for the pending files."""
        futures = (future for state in self.pending for future in (state.vector, state.caption, state.text))
        return [future for future in futures if future is not None]

    def wait_for(self, futures: Sequence[Future[Any]]) -> None:
        """Return when all these futures are done; raises CancelledError if the delivery is cancelled first."""
        all_done: Future[None] = Future()
        when_all(futures, lambda: all_done.set_result(None))
        wait((all_done, self.completed), return_when=FIRST_COMPLETED)
        if self.completed.done():
            self.completed.result()

    def wait_completed(self) -> None:
        """Wait for `completed` and record the files that failed; raises the error that ended the whole delivery."""
        self.completed.result()
        for state in self.pending:
            with self.catch_errors(state.item):
                assert state.published is not None
                state.published.result()

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

    def catch_errors(self, item: FileItem) -> "ErrorCatcher":
        """Inside this context an error fails only this file: it is recorded, and the file is not pending any more."""
        return ErrorCatcher(self, item)

    def fail(self, item: FileItem, error: LoadError) -> None:
        """Record why a file will not be stored, in log lines that name it."""
        with about_file(item.uri):
            self.record_failure(item, error)

    def record_failure(self, item: FileItem, error: Exception) -> None:
        """Record why a file will not be stored."""
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


class ErrorCatcher:
    """The context of `Delivery.catch_errors`: a class, because a generator costs twice as much, four times a file."""

    def __init__(self, delivery: Delivery, item: FileItem) -> None:
        self._delivery = delivery
        self._item = item
        self._about = about_file(item.uri)

    def __enter__(self) -> None:
        self._about.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        try:
            # An unreachable ledger, a worker that stops and memory that others have are not the fault of the file.
            if not isinstance(error, Exception) or isinstance(error, RedisError | CancelledError | NoRoom):
                return False
            self._delivery.record_failure(self._item, error)
            return True
        finally:
            self._about.__exit__()


def when_all(futures: Sequence[Future[Any]], callback: Callable[[], None]) -> None:
    """Call `callback` once, when all these futures have a result, an error or were cancelled; at once if they have.

    The thread that resolves the last future calls it, so it must be quick and must not raise.
    """
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
