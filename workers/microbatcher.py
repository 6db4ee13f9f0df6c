"""A thread that takes whatever is ready, works on it as one batch, and answers each item by its own future."""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

from workers.metrics import batch_done

Item = TypeVar("Item")
Result = TypeVar("Result")
# Of the time that a batch takes; a batch of captions that is not full costs nearly as much as a full one.
SHARE = 0.03
LONGEST_GATHER_SECONDS = 1.0


class MicroBatcher(Generic[Item, Result]):
    """Batches that fill by themselves: while one batch is worked on, the next one gathers.

    `process` takes a list and returns a list of the same length and order; an exception in the place of a result
    fails that item alone. When `process` itself raises, the items are tried one by one, so that the one at fault fails
    and its neighbours do not. When it raises something for which `too_large` is true (out of memory), the batch is
    halved until it fits and the size that fits is kept.

    `gather_seconds` is how long a batch that is not full stays open after its first item, for work whose price hardly
    depends on the size of the batch, such as a question to another process: taken at once, such batches would hold one
    item or two. Where the last batch took long it may be longer, a SHARE of that. No time passes while `expects` says
    that nothing more is on its way.
    """

    def __init__(
        self,
        name: str,
        process: Callable[[list[Item]], Sequence[Result | BaseException]],
        max_batch: int,
        too_large: Callable[[BaseException], bool] = lambda error: False,
        gather_seconds: float = 0,
        expects: Callable[[], bool] = lambda: True,
    ) -> None:
        if max_batch < 1:
            raise ValueError("max_batch must be at least 1")
        self.name = name
        self.max_batch = max_batch
        self.batches = 0
        self.items = 0
        self._process = process
        self._too_large = too_large
        self._gather_seconds = gather_seconds
        self._expects = expects
        self._last_seconds = 0.0
        self._waiting: queue.SimpleQueue[tuple[Item, Future[Result]] | None] = queue.SimpleQueue()
        self._closed = self._cancelled = False
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, item: Item) -> Future[Result]:
        """Hand over an item; raises RuntimeError after `close`."""
        future: Future[Result] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"{self.name} is closed")
            self._waiting.put((item, future))
        return future

    def cancel_waiting(self) -> None:
        """Cancel the futures of all items that no batch holds yet, and of all that come; a batch under way goes on."""
        self._cancelled = True

    def close(self) -> None:
        """Work off what was submitted, then end the thread."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        while self._one_batch():
            pass

    def _one_batch(self) -> bool:
        """Gather a batch and work on it; False at the end. Nothing of it is held while the next one is awaited."""
        first = self._waiting.get()
        if first is None:
            return False
        batch, goes_on = [first], True
        self._wait_for_more()
        while len(batch) < self.max_batch:
            try:
                following = self._waiting.get_nowait()
            except queue.Empty:
                break
            if following is None:
                goes_on = False
                break
            batch.append(following)
        if self._cancelled:
            for _, future in batch:
                future.cancel()
        self._work([entry for entry in batch if entry[1].set_running_or_notify_cancel()])
        return goes_on

    def _wait_for_more(self) -> None:
        share = min(SHARE * self._last_seconds, LONGEST_GATHER_SECONDS)
        left = max(self._gather_seconds, share) if self._gather_seconds else 0.0
        while left > 0 and self._waiting.qsize() + 1 < self.max_batch and self._expects():
            # In few steps: to be woken up by every item would cost more than some items do.
            step = min(left, self._gather_seconds)
            time.sleep(step)
            left -= step

    def _work(self, batch: list[tuple[Item, Future[Result]]]) -> None:
        if not batch:
            return
        begin = time.perf_counter()
        try:
            results = self._process([item for item, _ in batch])
            if len(results) != len(batch):
                raise RuntimeError(f"{self.name} returned {len(results)} results for {len(batch)} items")
        except BaseException as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            size = 1
            if self._too_large(error):
                size = max(1, len(batch) // 2)
                self.max_batch = min(self.max_batch, size)
            for start in range(0, len(batch), size):
                self._work(batch[start : start + size])
            return
        self.batches += 1
        self.items += len(batch)
        self._last_seconds = time.perf_counter() - begin
        batch_done(self.name, len(batch), self._last_seconds)
        for (_, future), result in zip(batch, results, strict=True):
            if isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)
