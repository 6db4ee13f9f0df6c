"""A device that fails or hangs: how it is told from a picture at fault, and how its worker ends and loses no file."""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from typing import Generic, TypeVar

from pictures.picture import Pixels
from settings.errors import DarkroomError, ServiceMissing
from workers.exit_codes import DEVICE_FAILED
from workers.gpu import state
from workers.gpu.watchdog import Watchdog
from workers.microbatcher import forget_locals

log = logging.getLogger("darkroom.gpu")

Result = TypeVar("Result")
# A pass that takes so many times what the slowest one took for each of its pictures hangs.
SLOWEST_TIMES = 20
# The first pass may compile, and says how slow the model is; its limit is so many times `gpu.hang_seconds`.
FIRST_TIMES = 5
# For the tasks to put their files back into the queue.
GRACE_SECONDS = 10.0


class DeviceFailed(DarkroomError):
    """The device of this worker does not compute."""

    exit_code = DEVICE_FAILED


class GuardedModel(Generic[Result]):
    """The `compute` of a model as the `process` of a MicroBatcher, which notices that the device fails or hangs.

    A picture that fails alone is at fault only if the model computes a `blank` one. If that fails as well, or a pass
    hangs, `on_device_failed` gets a sentence, and what was computed is cancelled.
    """

    def __init__(
        self,
        name: str,
        compute: Callable[[Sequence[Pixels]], Sequence[Result]],
        blank: Pixels,
        watchdog: Watchdog,
        hang_seconds: float,
        on_device_failed: Callable[[str], None],
    ) -> None:
        self._name = name
        self._compute = compute
        self._blank = blank
        self._watchdog = watchdog
        self._hang_seconds = hang_seconds
        self._on_device_failed = on_device_failed
        self._slowest = 0.0
        self._has_failed = False

    def __call__(self, pictures: Sequence[Pixels]) -> Sequence[Result]:
        """The results for these pictures; CancelledError if the device fails, else what the model raises."""
        if self._has_failed:
            raise CancelledError
        try:
            return self._watched(pictures)
        except Exception as error:  # a driver may raise anything; the blank picture tells what it means
            if len(pictures) > 1:
                raise
            failed = error
        # Outside of the `except`: a device that is short of memory needs what the failed pass has taken.
        forget_locals(failed)
        self._try_blank()
        # What troubled the device is over; what is raised now is due to the picture.
        return self._watched(pictures)

    def _try_blank(self) -> None:
        try:
            self._watched([self._blank])
        except ServiceMissing as error:  # the model is behind a URL
            self._fail(str(error))
            raise CancelledError from None
        except Exception as error:  # as above
            reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            self._fail(f"The device fails: {self._name} cannot compute a blank picture ({reason}).")
            raise CancelledError from None

    def _watched(self, pictures: Sequence[Pixels]) -> Sequence[Result]:
        limit = max(self._hang_seconds, SLOWEST_TIMES * self._slowest * len(pictures))
        if not self._slowest:
            limit = FIRST_TIMES * self._hang_seconds
        number = self._watchdog.start(limit, lambda: self._hangs(len(pictures), limit))
        started = time.perf_counter()
        try:
            results = self._compute(pictures)
        finally:
            self._watchdog.stop(number)
        self._slowest = max(self._slowest, (time.perf_counter() - started) / len(pictures))
        return results

    def _hangs(self, pictures: int, limit: float) -> None:
        count = f"{pictures} picture{'s' if pictures > 1 else ''}"
        self._fail(f"The device hangs: {self._name} has not computed {count} in {limit:.0f} s (gpu.hang_seconds).")

    def _fail(self, sentence: str) -> None:
        self._has_failed = True
        self._on_device_failed(sentence)


_sentence: str | None = None


def end_worker(sentence: str) -> None:
    """Begin to end this process: its files go back into the queue as new ones, so that none is blamed for the end.

    The exit code is DEVICE_FAILED, whether the process can end in order or a thread that hangs keeps it from that.
    """
    global _sentence
    if _sentence is None:
        _sentence = sentence
        log.error("%s", sentence)
        threading.Thread(target=_end, args=(sentence,), name="device failure", daemon=True).start()


def raise_if_device_failed() -> None:
    """Raise DeviceFailed if that is why this worker has stopped consuming."""
    if _sentence is not None:
        raise DeviceFailed(_sentence)


def _end(sentence: str) -> None:
    state.stop(0)
    os.kill(os.getpid(), signal.SIGTERM)
    threading.main_thread().join(GRACE_SECONDS)
    if threading.main_thread().is_alive():  # it waits for a thread that hangs, and cannot say so
        print(f"error: {sentence}", file=sys.stderr, flush=True)
    os._exit(DEVICE_FAILED)
