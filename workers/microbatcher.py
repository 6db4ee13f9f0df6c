"""Threads that process all items that are ready as one batch, and resolve the future of each item."""

import queue
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from workers.metrics import batch_done

Item = TypeVar("Item")
Result = TypeVar("Result")
# A batch may stay open for this share of the time that the last one took: a batch of captions that is not full costs
# nearly as much as a full one.
GATHER_SHARE = 0.03
MAX_GATHER_SECONDS = 1.0
# While a batch is processed and the next one is not full, it is looked at again after so long.
LOOK_SECONDS = 0.002
# After so long a smaller limit is doubled again: what else took the memory of the device may have ended.
GROW_SECONDS = 300.0


def forget_locals(error: BaseException | None) -> None:
    """Clear the variables of all frames that an error has gone through; the lines of its traceback stay.

    An error keeps its frames, and the frames of a failed forward pass keep all that it has computed.
    """
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


class MicroBatcher(Generic[Item, Result]):
    """Processes items in batches: while one batch is processed, the items of the next one collect.

    `process` takes a list and returns a list of the same length and order; an exception in place of a result fails only
    that item. When `process` raises, the items are processed one by one, so that only the item at fault fails. When it
    raises an error for which `too_large` is true (out of memory), the batch is halved until it fits, after `free` has
    given back what memory it can. That size is kept for what comes, and doubled again from time to time.

    A batch that is not full stays open for `gather_seconds` after its first item. That is for work whose cost hardly
    depends on the size of the batch, such as a request to another process: without it most batches would have one or
    two items. After a batch that took long it may be longer, a GATHER_SHARE of that time. It ends early when `expects`
    says that no more items will come.

    With `in_flight` = 2 two threads take turns: while one waits for the results of its batch and resolves them, the
    other hands the next one to the device, as soon as it is full or nothing else is processed. Those that are computed
    `side_by_side`, each on cores of its own, do not wait for each other, and each takes its share of what waits: of the
    last items one over the number of threads, so that all of these end at about the same time (guided self-scheduling,
    Polychronopoulos and Kuck, 1987).
    """

    def __init__(
        self,
        name: str,
        process: Callable[[list[Item]], Sequence[Result | BaseException]],
        max_batch: int,
        too_large: Callable[[BaseException], bool] = lambda error: False,
        free: Callable[[], None] = lambda: None,
        gather_seconds: float = 0,
        expects: Callable[[], bool] = lambda: True,
        in_flight: int = 1,
        side_by_side: bool = False,
    ) -> None:
        if max_batch < 1 or in_flight < 1:
            raise ValueError("max_batch and in_flight must be at least 1")
        self.name = name
        self.max_batch = max_batch
        self._largest = max_batch
        self._shrunk = 0.0
        self.batches = 0
        self.items = 0
        self._process = process
        self._too_large = too_large
        self._free = free
        self._gather_seconds = gather_seconds
        self._expects = expects
        self._side_by_side = side_by_side
        self._last_seconds = 0.0
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Result]] | None] = queue.SimpleQueue()
        self._closed = self._cancelled = False
        self._lock = threading.Lock()
        self._collecting = threading.Lock()
        # How many batches are processed now; who waits for that to change is told.
        self._processed = 0
        self._ended = threading.Condition(self._lock)
        self._threads = [threading.Thread(target=self._run, name=name, daemon=True) for _ in range(in_flight)]
        for thread in self._threads:
            thread.start()

    def submit(self, item: Item) -> Future[Result]:
        """Add an item; its future gets the result. Raises RuntimeError after `close`."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self.name} is closed")
            self._waiting.put((item, future))
        return future

    def cancel_waiting(self) -> None:
        """Cancel the futures of all items that wait or come later; the batch that is processed now is finished."""
        self._cancelled = True

    def close(self) -> None:
        """Process what was submitted, then end the threads."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while self._process_next_batch():
            pass

    def _process_next_batch(self) -> bool:
        """Collect a batch and process it; False after `close`. Between batches no item is kept in memory."""
        with self._collecting:
            batch, is_open = self._collect()
            with self._lock:
                self._processed += 1
        try:
            if self._cancelled:
                for _, future in batch:
                    future.cancel()
            self._process_batch([entry for entry in batch if entry[1].set_running_or_notify_cancel()])
        finally:
            with self._ended:
                self._processed -= 1
                self._ended.notify_all()
        return is_open

    def _collect(self) -> tuple[list[tuple[Item, Future[Result]]], bool]:
        """The next batch, and whether more may come."""
        first = self._waiting.get()
        if first is None:
            return [], False
        batch = [first]
        self._wait_for_turn()
        self._gather()
        most = self._share()
        while len(batch) < most:
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return batch, False
            batch.append(entry)
        return batch, True

    def _wait_for_turn(self) -> None:
        """Wait while another batch is processed and this one is not full: a part of one may cost as much as a whole."""
        if self._side_by_side or len(self._threads) == 1:
            return
        with self._ended:
            while self._processed and self._waiting.qsize() + 1 < self.max_batch and not self._closed:
                self._ended.wait(LOOK_SECONDS)

    def _share(self) -> int:
        """How many items the next batch takes at most."""
        if not self._side_by_side:
            return self.max_batch
        takers = len(self._threads)
        if self._expects():
            with self._lock:
                takers = max(1, takers - self._processed)
        return min(self.max_batch, -(-(self._waiting.qsize() + 1) // takers))

    def _gather(self) -> None:
        share = min(GATHER_SHARE * self._last_seconds, MAX_GATHER_SECONDS)
        remaining = max(self._gather_seconds, share) if self._gather_seconds else 0.0
        while remaining > 0 and self._waiting.qsize() + 1 < self.max_batch and self._expects():
            # In few steps, because to wake up for each item would cost more than some items.
            step = min(remaining, self._gather_seconds)
            time.sleep(step)
            remaining -= step

    def _process_batch(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        if self.max_batch < self._largest and time.monotonic() - self._shrunk > GROW_SECONDS:
            self._set_limit(2 * self.max_batch)
        size = self.max_batch
        while batch:
            part = batch[:size]
            # Outside of any `except`: what a failed pass has computed must be gone before the next one begins.
            error = self._try(part)
            if error is None or len(part) == 1:
                batch = batch[len(part) :]
            elif self._too_large(error):
                size = len(part) // 2
                self._set_limit(size)
            else:
                for entry in part:
                    self._try([entry])
                batch = batch[len(part) :]

    def _set_limit(self, size: int) -> None:
        self.max_batch = min(size, self._largest)
        self._shrunk = time.monotonic()

    def _try(self, batch: list[tuple[Item, Future[Result]]]) -> BaseException | None:
        """Process these items as one batch; returns the error that it failed with, which is that of a single item."""
        started = time.perf_counter()
        try:
            results = self._process([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{self.name} returned {len(results)} results for {len(batch)} items")
        except BaseException as failed:
            error = failed
        else:
            with self._lock:
                self.batches += 1
                self.items += len(batch)
            self._last_seconds = time.perf_counter() - started
            batch_done(self.name, len(batch), self._last_seconds)
            for (_, future), result in zip(batch, results, strict=True):
                if isinstance(result, BaseException):
                    future.set_exception(result)
                else:
                    future.set_result(result)
            return None
        forget_locals(error)
        if self._too_large(error):
            self._free()
        if len(batch) == 1:
            batch[0][1].set_exception(error)
        return error
