"""Files that this worker cannot do: sent to a worker that has not tried them yet, failed when all have tried."""

import logging
import random
from collections.abc import Callable
from dataclasses import replace

import redis
from celery import Celery

from tasks.envelope import files_header
from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage
from tasks.queues import PROCESS_FILES, files_of_worker
from tasks.recoveries import recovered
from tasks.registry import Worker, silent_workers, workers
from workers.gpu.delivery import Delivery

log = logging.getLogger("darkroom.gpu")


class Rerouter:
    """Decides what happens to files that this worker cannot reach, or that are for other models than it has.

    `name` is the name of this worker; `list_workers` returns the workers that process files now; `publish` sends a
    message to one of them; `list_silent` returns those that are not heard at the moment: while one of them that has
    not tried a file may come back, the file waits for it. A message names the workers that have tried it, so that each
    tries once and no file is rerouted for ever. A worker that has other models than the message is for is no choice.
    """

    def __init__(
        self,
        name: str,
        list_workers: Callable[[], list[Worker]],
        publish: Callable[[FilesMessage, str], None],
        list_silent: Callable[[], list[Worker]] = list,
    ) -> None:
        self._name = name
        self._list_workers = list_workers
        self._publish = publish
        self._list_silent = list_silent

    def reroute(self, delivery: Delivery) -> None:
        """Publish the unreachable files for another worker, or fail them if every worker has tried them."""
        if not delivery.unreachable:
            return
        tried = [*delivery.message.tried, self._name]
        if self._send_on(delivery.message, [item for item, _ in delivery.unreachable], tried):
            recovered(delivery.ledger.client, "rerouted")
        else:
            self._fail(delivery, tried)

    def refuse(self, message: FilesMessage, ledger: Ledger, reason: str) -> list[Failure]:
        """Publish a message that is for other things than this worker has, or fail its files where nobody has them.

        Returns the files that failed.
        """
        if self._send_on(message, message.files, [*message.tried, self._name]):
            recovered(ledger.client, "rerouted")
            return []
        log.warning("%s", reason)
        failures = [Failure(item.number, item.uri, "worker", reason) for item in message.files]
        ledger.failed(failures)
        return failures

    def _send_on(self, message: FilesMessage, items: list[FileItem], tried: list[str]) -> bool:
        # Whoever lives sweeps the queue of a silent one every few seconds, so what waits there comes round again, until
        # that worker takes it, another one comes, or it has been silent for too long.
        for listed in (self._list_workers, self._list_silent):
            untried = sorted(
                worker.node
                for worker in listed()
                if worker.node not in tried and not message.target.mismatch(worker.node, worker.has)
            )
            if untried:
                self._publish(replace(message, files=items, tried=tried), random.choice(untried))
                return True
        return False

    def _fail(self, delivery: Delivery, tried: list[str]) -> None:
        names = f"worker{'s' if len(tried) > 1 else ''} {', '.join(sorted(tried))}"
        failures = []
        for item, reason in delivery.unreachable:
            failures.append(Failure(item.number, item.uri, "read", f"not reachable from {names}: {reason}"))
            log.warning("%s: %s", item.uri, failures[-1].reason)
        delivery.ledger.failed(failures)
        delivery.failures += failures


def gpu_workers(client: redis.Redis) -> list[Worker]:
    """All GPU workers that live, by their leases: one that pauses for some seconds is among them."""
    return [worker for worker in workers(client).values() if worker.name.startswith("gpu")]


def silent_gpu_workers(client: redis.Redis) -> list[Worker]:
    """The GPU workers that are not heard, and may only pause."""
    return [worker for worker in silent_workers(client).values() if worker.name.startswith("gpu")]


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
