"""Which deliveries this worker processes, so that a stopped job and a worker that ends can let go of them."""

from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from workers.gpu.delivery import Delivery


class InFlight:
    """The deliveries that the threads of this worker process at the moment."""

    def __init__(self) -> None:
        self._deliveries: set[Delivery] = set()
        self._stopped: set[str] = set()

    def stop_job(self, job: str) -> None:
        """Begin no more files of this job, and cancel those that wait for a model; what is in one is finished."""
        self._stopped.add(job)
        for delivery in list(self._deliveries):
            if delivery.message.job == job:
                for future in delivery.model_futures():
                    future.cancel()

    def is_stopped(self, delivery: Delivery) -> bool:
        """True when the job of this delivery was stopped; then the delivery ends with CancelledError."""
        if delivery.message.job not in self._stopped:
            return False
        delivery.complete(CancelledError())
        return True

    def add(self, delivery: Delivery) -> None:
        """Count a delivery as in flight."""
        self._deliveries.add(delivery)

    def discard(self, delivery: Delivery) -> None:
        """Let go of a delivery that has ended."""
        self._deliveries.discard(delivery)
        # The futures refer to their callbacks, and these to the delivery: a reference cycle, which would keep the
        # pictures in memory until the garbage collector runs.
        delivery.pending = []
        delivery.lease.give_back()

    @contextmanager
    def track(self, delivery: Delivery) -> Iterator[None]:
        """Count a delivery as in flight inside this context."""
        self.add(delivery)
        try:
            yield
        finally:
            self.discard(delivery)

    def is_loading(self) -> bool:
        """True while some delivery may still submit pictures to the models."""
        return not all(delivery.is_loaded for delivery in list(self._deliveries))

    def cancel(self) -> None:
        """End all deliveries in flight with CancelledError."""
        for delivery in list(self._deliveries):
            delivery.complete(CancelledError())
