"""What the pipeline asks of a loader, be it in this process or one of its own, and the loader in this process."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from pictures.picture import Content, Picture
from settings import Settings
from tasks.messages import FileItem
from workers.exit_codes import LOAD_TIMEOUT
from workers.gpu.loading.memory_budget import Lease, MemoryBudget, NoRoom
from workers.gpu.loading.picture_loader import Decoded, DecodesOnDevice, Inputs, PictureLoader, Read, failure
from workers.gpu.watchdog import Watchdog
from workers.logs import about_file
from workers.metrics import loaded

log = logging.getLogger("darkroom.gpu")


@dataclass(slots=True)
class Reading:
    """The files of one delivery that are to be read, and the memory that their bytes take.

    `too_slow` is told of a file that takes longer than ingest.load_seconds where this process ends with it.
    """

    root: str
    files: Sequence[FileItem]
    lease: Lease
    too_slow: Callable[[FileItem, str], None]


@dataclass(slots=True)
class Loading:
    """One file that was read and is to be decoded for `inputs`, or only told the facts of; the rest as in Reading."""

    root: str
    item: FileItem
    content: Content
    inputs: Inputs | None
    too_slow: Callable[[FileItem, str], None]


class Loader(Protocol):
    """Loads files; all methods may be called from several threads.

    `batch` is how many files it is best given at once.
    """

    batch: int

    def start(self) -> None:
        """Prepare what is slow to begin with."""

    def read(self, readings: Sequence[Reading]) -> list[list[Read]]:
        """The contents of the files of each reading; a list is shorter and ends with NoRoom where room is lacking."""

    def load(self, loadings: Sequence[Loading]) -> Iterator[Decoded]:
        """What each file is decoded to, in this order; its bytes are gone afterwards."""

    def decode(self, data: bytes, name: str, inputs: Inputs) -> Picture:
        """Decode the bytes of a question; raises LoadError with the reason if that fails."""

    def close(self) -> None:
        """End what `start` has prepared."""


def too_slow(seconds: float) -> str:
    """The reason of a file that hangs."""
    return f"loading it took longer than ingest.load_seconds = {seconds}"


def exit_process() -> None:
    """End this process at once; the supervisor starts another one, and Redis delivers its messages again."""
    os._exit(LOAD_TIMEOUT)


class LoaderHere:
    """Loads in the threads that call it: nothing is copied, but a decoder that crashes or hangs ends the worker."""

    # What a step costs beside its files is shared among so many small ones.
    batch = 8

    def __init__(self, settings: Settings, keeps_thumbnails: bool, on_device: DecodesOnDevice | None = None) -> None:
        self._seconds = settings.ingest.load_seconds
        self._watchdog = Watchdog(exit_process)
        self.files = PictureLoader(settings, MemoryBudget(settings.ingest.max_pixels), keeps_thumbnails, on_device)

    def start(self) -> None:
        """See Loader; there is nothing to prepare."""

    def read(self, readings: Sequence[Reading]) -> list[list[Read]]:
        """See Loader."""
        return [self._read(reading) for reading in readings]

    def load(self, loadings: Sequence[Loading]) -> Iterator[Decoded]:
        """See Loader."""
        for each in loadings:
            limit = self.time_limit(each.item.uri, partial(each.too_slow, each.item))
            with about_file(each.item.uri):
                try:
                    outcome: Decoded = self.files.load(each.content, each.inputs, limit)
                except Exception as error:  # whatever a file makes a decoder raise is the failure of that file
                    outcome = failure(error)
            each.content.forget()
            yield outcome

    def decode(self, data: bytes, name: str, inputs: Inputs) -> Picture:
        """See Loader."""
        return self.files.decode(data, inputs, self.time_limit(name))

    def time_limit(self, name: str, record: Callable[[str], None] = lambda reason: None) -> "WatchedTime":
        """A context to load one file in; when that hangs, `record` gets the reason and the process ends."""
        return WatchedTime(self._watchdog, self._seconds, name, record)

    def close(self) -> None:
        """See Loader."""
        self._watchdog.close()

    def _read(self, reading: Reading) -> list[Read]:
        contents: list[Read] = []
        held = 0
        for item in reading.files:
            limit = self.time_limit(item.uri, partial(reading.too_slow, item))
            content = self.files.read(reading.root, item.uri, item.may_have_sidecar, reading.lease.reserve, limit)
            contents.append(content)
            if isinstance(content, Content):
                held += content.size
            elif isinstance(content, NoRoom):
                break
        reading.lease.settle(held)
        return contents


class WatchedTime:
    """The time limit of a file that is loaded in this process; it also measures the time for the metrics."""

    def __init__(self, watchdog: Watchdog, seconds: float, name: str, record: Callable[[str], None]) -> None:
        self._watchdog = watchdog
        self._seconds = seconds
        self._name = name
        self._record = record

    def __enter__(self) -> None:
        self._number = self._watchdog.start(self._seconds, self._record_timeout)
        self._started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        loaded(time.perf_counter() - self._started)
        self._watchdog.stop(self._number)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside this context, which lies inside this one, no time passes; afterwards it begins anew."""
        self._watchdog.stop(self._number)
        waited = time.perf_counter()
        try:
            yield
        finally:
            self._started += time.perf_counter() - waited
            self._number = self._watchdog.start(self._seconds, self._record_timeout)

    def _record_timeout(self) -> None:
        reason = too_slow(self._seconds)
        log.error("%s: %s", self._name, reason)
        self._record(reason)
