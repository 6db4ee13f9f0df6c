"""The loaders of a GPU worker, and the threads that give them work."""

import queue
import threading
from collections.abc import Callable, Sequence

from workers.gpu.delivery import Delivery
from workers.gpu.loading.loader import Loader

Step = Callable[[list[Delivery], Loader], None]


class LoaderPool:
    """Runs the steps of deliveries that load files: each in a thread, which gives the files to its loader.

    A thread for each message could do the same, but then every step would wake up another thread: on a busy machine
    that costs more than a small file. Plain threads behind a SimpleQueue, because ThreadPoolExecutor makes a future and
    asks a semaphore for each step, which at two steps a file is a tenth of what a small file costs. A loader keeps the
    bytes that it has read, so all steps of a delivery go to one. No step is run of a delivery that `is_stopped`.
    """

    def __init__(
        self, loaders: Sequence[Loader], threads: int, is_stopped: Callable[[Delivery], bool] = lambda delivery: False
    ) -> None:
        self.loaders = loaders
        self._is_stopped = is_stopped
        self._queues: list[queue.SimpleQueue[tuple[Delivery, Step] | None]] = [queue.SimpleQueue() for _ in loaders]
        self._threads_each = threads // len(loaders)
        # Files that each has been given and not ended.
        self._busy = [0] * len(loaders)
        self._lock = threading.Lock()
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, args=(number % len(loaders),), name=f"loader_{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def start(self) -> None:
        """Prepare what is slow to begin with."""
        for loader in self.loaders:
            loader.start()

    def submit(self, delivery: Delivery, step: Step) -> None:
        """Run a step of a delivery when its loader is free; what the step raises ends the delivery."""
        place = self._place(delivery)
        with self._lock:
            if not self._closed:
                self._busy[place] += len(delivery.message.files)
                self._queues[place].put((delivery, step))
                return
        delivery.complete(RuntimeError("the loaders are closed"))

    def loader_of(self, delivery: Delivery) -> Loader:
        """The loader of a delivery, for a thread that has work for it alone."""
        return self.loaders[self._place(delivery)]

    def idle(self) -> Loader:
        """The loader that has the least to do."""
        return self.loaders[min(range(len(self.loaders)), key=self._busy.__getitem__)]

    def close(self) -> None:
        """End the threads once they have done what was submitted, and the loaders."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for number in range(len(self._threads)):
                    self._queues[number % len(self._queues)].put(None)
        for thread in self._threads:
            thread.join()
        for loader in self.loaders:
            loader.close()

    def _place(self, delivery: Delivery) -> int:
        if delivery.loader is None:
            delivery.loader = self.loaders.index(self.idle()) if len(self.loaders) > 1 else 0
        return delivery.loader

    def _run(self, place: int) -> None:
        is_open = True
        while is_open:
            is_open = self._run_some(place)

    def _run_some(self, place: int) -> bool:
        """Wait for steps and run them; False once there are no more. Nothing here holds a picture while it waits."""
        waiting, loader = self._queues[place], self.loaders[place]
        entry = waiting.get()
        # Of what waits it takes its share and leaves the others theirs, so that none of them is idle at the end.
        share = waiting.qsize() // self._threads_each
        steps: dict[Step, list[Delivery]] = {}
        files = 0
        while entry is not None:
            delivery, step = entry
            steps.setdefault(step, []).append(delivery)
            files += len(delivery.message.files)
            if files >= loader.batch or not share:
                break
            share -= 1
            try:
                entry = waiting.get_nowait()
            except queue.Empty:
                break
        for step, deliveries in steps.items():
            self._run_step(step, deliveries, loader)
        with self._lock:
            self._busy[place] -= files
        return entry is not None

    def _run_step(self, step: Step, deliveries: list[Delivery], loader: Loader) -> None:
        alive = [delivery for delivery in deliveries if not self._is_stopped(delivery)]
        if not alive:
            return
        try:
            # In a copy of the context, because the step before may still run in the original.
            alive[0].context.copy().run(step, alive, loader)
        except BaseException as error:
            for delivery in alive:
                delivery.complete(error)
