"""The files that are enqueued and not yet finished: the back-pressure of an ingest, and what it may publish again."""

from collections.abc import Iterable, Sequence
from itertools import islice

from celery import Celery

from producer.plan import Numbered
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage
from tasks.queues import FILES, PROCESS_FILES

PUBLISH_BATCH = 1000


class Window:
    """At most `size` files of one job are under way, whatever the folder's size."""

    def __init__(self, app: Celery, ledger: Ledger, root: str, size: int, files_per_task: int) -> None:
        self._app = app
        self._ledger = ledger
        self._root = root
        self._per_task = files_per_task
        self.size = size
        self.under_way: dict[int, str] = {}
        self.enqueued = 0

    @property
    def room(self) -> int:
        """How many more files may be enqueued now."""
        return max(0, self.size - len(self.under_way))

    def enqueue(self, files: Sequence[Numbered]) -> None:
        """Publish files and keep them in mind until the ledger has them."""
        for entry in files:
            self.under_way[entry.number] = entry.file.uri
        self._publish((entry.number, entry.file.uri) for entry in files)
        self.enqueued += len(files)

    def forget_finished(self) -> int:
        """Drop what the ledger says is stored or failed; returns how many that were."""
        done = self._ledger.done(list(self.under_way))
        for number in done:
            del self.under_way[number]
        return len(done)

    def publish_again(self) -> int:
        """Publish everything that is still under way once more; harmless, for every step may be repeated."""
        self._publish(self.under_way.items())
        return len(self.under_way)

    def _publish(self, files: Iterable[tuple[int, str]]) -> None:
        stream = iter(files)
        with self._app.producer_pool.acquire(block=True) as producer, producer.batch(PUBLISH_BATCH):
            while items := [FileItem(number, uri) for number, uri in islice(stream, self._per_task)]:
                self._app.send_task(
                    PROCESS_FILES,
                    kwargs=FilesMessage(self._ledger.job, self._root, items).to_wire(),
                    queue=FILES,
                    producer=producer,
                    root_id=self._ledger.job,
                    argsrepr=items[0].uri,
                    kwargsrepr="{}",
                )
