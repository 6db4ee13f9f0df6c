"""The files that are enqueued and not yet finished: the back-pressure of an ingest, and what it may publish again."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from producer.ingest.plan import Numbered
from tasks.envelope import Envelope
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, Target
from tasks.queues import FILES, PROCESS_FILES

# Messages in one command: below a megabyte, so that Redis never works on one for long.
PUBLISH_BATCH = 500


class Window:
    """At most `size` files of one job are under way, whatever the folder's size."""

    def __init__(self, ledger: Ledger, target: Target, root: str, size: int, files_per_task: int) -> None:
        self._ledger = ledger
        self._target = target
        self._root = root
        self._per_task = files_per_task
        self._envelope = Envelope(PROCESS_FILES, FILES, parent=ledger.job)
        self.size = size
        self.under_way: dict[int, str] = {}
        self.enqueued = 0

    @property
    def room(self) -> int:
        """How many more files may be enqueued now, in one command: a full Redis takes all of them or none."""
        return min(max(0, self.size - len(self.under_way)), PUBLISH_BATCH * self._per_task)

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

    def publish_again(self, numbers: Iterable[int]) -> None:
        """Publish files that are under way once more; harmless, for every step may be repeated."""
        self._publish((number, self.under_way[number]) for number in numbers)

    def _publish(self, files: Iterable[tuple[int, str]]) -> None:
        stream = iter(files)
        client = self._ledger.client
        while messages := list(islice(self._messages(stream), PUBLISH_BATCH)):
            client.lpush(FILES, *messages)

    def _messages(self, files: Iterator[tuple[int, str]]) -> Iterator[str]:
        while items := [FileItem(number, uri) for number, uri in islice(files, self._per_task)]:
            arguments = FilesMessage(self._target, self._ledger.job, self._root, items).to_wire()
            # What Flower shows: the part of the name that tells the files of a job apart.
            shown = items[0].uri.removeprefix(self._root).lstrip("/")
            yield self._envelope.message(arguments, shown, [item.number for item in items])
