"""Files that this worker cannot reach: sent to a worker that has not tried them yet, failed when all have tried."""

import logging
import random
from collections.abc import Callable

import redis
from celery import Celery

from tasks.envelope import files_header
from tasks.ledger import Failure
from tasks.messages import FilesMessage
from tasks.queues import PROCESS_FILES, files_of_worker
from tasks.registry import living_workers
from workers.gpu.delivery import Delivery

log = logging.getLogger("darkroom.gpu")


class Rerouter:
    """Decides what happens to the unreachable files of a delivery.

    `name` is the name of this worker; `list_workers` returns the names of the workers that process files now; `publish`
    sends a message to one of them. A message names the workers that have tried it, so that each living worker tries
    once and no file is rerouted for ever.
    """

    def __init__(
        self, name: str, list_workers: Callable[[], set[str]], publish: Callable[[FilesMessage, str], None]
    ) -> None:
        self._name = name
        self._list_workers = list_workers
        self._publish = publish

    def reroute(self, delivery: Delivery) -> None:
        """Publish the unreachable files for another worker, or fail them if every worker has tried them."""
        if not delivery.unreachable:
            return
        message = delivery.message
        tried = [*message.tried, self._name]
        untried = sorted(self._list_workers() - set(tried))
        if not untried:
            self._fail(delivery, tried)
            return
        items = [item for item, _ in delivery.unreachable]
        self._publish(FilesMessage(message.job, message.root, items, tried), random.choice(untried))

    def _fail(self, delivery: Delivery, tried: list[str]) -> None:
        workers = f"worker{'s' if len(tried) > 1 else ''} {', '.join(sorted(tried))}"
        failures = []
        for item, reason in delivery.unreachable:
            failures.append(Failure(item.number, item.uri, "read", f"not reachable from {workers}: {reason}"))
            log.warning("%s: %s", item.uri, failures[-1].reason)
        delivery.ledger.failed(failures)
        delivery.failures += failures


def gpu_workers(client: redis.Redis) -> set[str]:
    """The names of all GPU workers that live, by their leases: one that pauses for some seconds is among them."""
    return {name for name in living_workers(client) if name.startswith("gpu")}


def worker_publisher(app: Celery) -> Callable[[FilesMessage, str], None]:
    """A function that publishes files for one worker, to that worker's own queue.

    If the worker dies meanwhile, its next process has the same name and takes them; until then the producer sees
    them in that queue.
    """

    def publish(message: FilesMessage, worker: str) -> None:
        app.send_task(
            PROCESS_FILES,
            kwargs=message.to_wire(),
            queue=files_of_worker(worker),
            root_id=message.job,
            argsrepr=message.files[0].uri,
            kwargsrepr="{}",
            headers=files_header(message.job, [item.number for item in message.files]),
        )

    return publish
