"""Files that this worker does not reach: passed on to a worker that has not tried them yet, failed when all have."""

import logging
import random
import threading
import time
from collections.abc import Callable

from celery import Celery

from tasks.ledger import Failure
from tasks.messages import FilesMessage
from tasks.queues import PROCESS_FILES, files_of_worker
from workers.gpu.delivery import Delivery

log = logging.getLogger("darkroom.gpu")

# How long a look at who is there holds; the answers of the workers take ANSWER_SECONDS to come in.
FRESH_SECONDS = 5.0
ANSWER_SECONDS = 1.0


class Reroute:
    """Decides for the files of a delivery that are `not_reached`.

    `name` is this worker's; `others` tells the workers that take files now; `send` publishes a message for one of them.
    A message names the workers that had it, so each living one gets its try and the files never go round for ever.
    """

    def __init__(self, name: str, others: Callable[[], set[str]], send: Callable[[FilesMessage, str], None]) -> None:
        self._name = name
        self._others = others
        self._send = send

    def pass_on(self, delivery: Delivery) -> None:
        """Publish the files for another worker, or list them as failed where every worker has tried them."""
        if not delivery.not_reached:
            return
        message = delivery.message
        tried = [*message.tried, self._name]
        untried = sorted(self._others() - set(tried))
        if not untried:
            self._fail(delivery, tried)
            return
        items = [item for item, _ in delivery.not_reached]
        self._send(FilesMessage(message.job, message.root, items, tried), random.choice(untried))

    def _fail(self, delivery: Delivery, tried: list[str]) -> None:
        who = f"worker{'s' if len(tried) > 1 else ''} {', '.join(sorted(tried))}"
        failures = []
        for item, reason in delivery.not_reached:
            failures.append(Failure(item.number, item.uri, "read", f"not reachable from {who}: {reason}"))
            log.warning("%s: %s", item.uri, failures[-1].reason)
        delivery.ledger.failed(failures)
        delivery.failures += failures


def takers_of_files(app: Celery) -> Callable[[], set[str]]:
    """A question that is answered with the names of all workers that take files, at most FRESH_SECONDS old."""
    lock = threading.Lock()
    seen: set[str] = set()
    looked = -FRESH_SECONDS

    def ask() -> set[str]:
        nonlocal seen, looked
        with lock:
            if time.monotonic() - looked > FRESH_SECONDS:
                answers = app.control.inspect(timeout=ANSWER_SECONDS).active_queues() or {}
                own = {name: files_of_worker(name) for name in answers}
                seen = {name for name in own if any(queue["name"] == own[name] for queue in answers[name])}
                looked = time.monotonic()
            return set(seen)

    return ask


def publisher(app: Celery) -> Callable[[FilesMessage, str], None]:
    """Publishes files for one worker, to the queue of its own.

    A worker that dies meanwhile has a name that comes back with it; until then the producer, which sees that nothing
    moves, publishes the files for everybody again.
    """

    def send(message: FilesMessage, worker: str) -> None:
        app.send_task(
            PROCESS_FILES,
            kwargs=message.to_wire(),
            queue=files_of_worker(worker),
            root_id=message.job,
            argsrepr=message.files[0].uri,
            kwargsrepr="{}",
        )

    return send
