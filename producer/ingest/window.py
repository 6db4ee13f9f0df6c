"""The files that are enqueued and not yet finished: the back-pressure of an ingest, and what it may publish again."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, islice
from urllib.parse import unquote

import redis

from producer.ingest.plan import Numbered
from producer.stack import Stack
from settings import Settings
from tasks.broker.scripts import run_script
from tasks.envelope import Envelope, header_text
from tasks.ledger import Ledger
from tasks.messages import GPU_FILES_PER_TASK, FileItem, FilesMessage, Target
from tasks.queues import FILES, FILES_LATER, LEFT, PROCESS_FILES, files_of_worker
from tasks.registry import silent_workers, workers
from tasks.stack.record import read_record

# Messages in one command: below a megabyte, so that Redis never works on one for long.
PUBLISH_BATCH = 500


# KEYS: queues; ARGV: what stands in a message of the job. Removes its messages, and returns how many there were.
_WITHDRAW = """
local removed = 0
for _, queue in ipairs(KEYS) do
  for _, raw in ipairs(redis.call('LRANGE', queue, 0, -1)) do
    if string.find(raw, ARGV[1], 1, true) then removed = removed + redis.call('LREM', queue, 1, raw) end
  end
end
return removed
"""


def withdraw(client: redis.Redis, job: str) -> int:
    """Take the files of a job out of the queues, as far as no worker has taken them; returns how many messages."""
    queues = [FILES, FILES_LATER, LEFT, *map(files_of_worker, workers(client) | silent_workers(client))]
    return int(run_script(client, _WITHDRAW, queues, [header_text(job)]))


def devices_of(stack: Stack) -> set[str]:
    """What its GPU workers say that they compute on: "cpu", or other names for GPUs; empty where nobody has said it."""
    if stack.is_local:
        record = read_record(stack.local)
        return set() if record is None else {"cpu" if record.on_cpu else "gpu"}
    return {worker.device for worker in stack.workers() if worker.name.startswith("gpu") and worker.device}


def files_per_task(settings: Settings, stack: Stack) -> int:
    """How many files one message carries: what `ingest.files_per_task` says, and for "auto" by the workers' devices."""
    wanted = settings.ingest.files_per_task
    if wanted != "auto":
        return wanted
    devices = devices_of(stack)
    return GPU_FILES_PER_TASK if devices and "cpu" not in devices else 1


class Window:
    """At most `size` files of one job are under way, whatever the folder's size.

    Those for `later` wait in a queue that workers take from while the one of all others is empty.
    """

    def __init__(
        self, ledger: Ledger, target: Target, root: str, size: int, files_per_task: int, later: bool = False
    ) -> None:
        self._ledger = ledger
        self._queue = FILES_LATER if later else FILES
        self._target = target
        # The first number of each root, and the roots.
        self._starts, self._roots = [0], [root]
        self._per_task = files_per_task
        self._envelope = Envelope(PROCESS_FILES, self._queue, parent=ledger.job)
        self.size = size
        self.under_way: dict[int, FileItem] = {}
        self.enqueued = 0

    def begin_root(self, number: int, root: str) -> None:
        """From this number on, files belong to another root of the job."""
        if self._starts[-1] == number:
            self._roots[-1] = root
        else:
            self._starts.append(number)
            self._roots.append(root)

    @property
    def room(self) -> int:
        """How many more files may be enqueued now, in one command: a full Redis takes all of them or none."""
        return min(max(0, self.size - len(self.under_way)), PUBLISH_BATCH * self._per_task)

    def enqueue(self, files: Sequence[Numbered]) -> None:
        """Publish files and keep them in mind until the ledger has them."""
        items = [_item(entry) for entry in files]
        self.under_way.update((item.number, item) for item in items)
        self._publish(items)
        self.enqueued += len(files)

    def forget_finished(self) -> int:
        """Drop what the ledger says is stored or failed; returns how many that were."""
        done = self._ledger.done(list(self.under_way))
        for number in done:
            del self.under_way[number]
        return len(done)

    def publish_again(self, numbers: Iterable[int]) -> None:
        """Publish files that are under way once more; harmless, for every step may be repeated."""
        self._publish(self.under_way[number] for number in numbers)

    def withdraw(self) -> int:
        """Take out of the queues what no worker has taken yet; returns how many messages that were."""
        return withdraw(self._ledger.client, self._ledger.job)

    def _publish(self, files: Iterable[FileItem]) -> None:
        messages = self._messages(files)
        client = self._ledger.client
        while batch := list(islice(messages, PUBLISH_BATCH)):
            client.lpush(self._queue, *batch)

    def _messages(self, files: Iterable[FileItem]) -> Iterator[str]:
        for root, group in groupby(files, key=lambda file: self._root_of(file.number)):
            while items := list(islice(group, self._per_task)):
                arguments = FilesMessage(self._target, self._ledger.job, root, items).to_wire()
                # What Flower shows: the part of the name that tells the files of a job apart.
                shown = unquote(items[0].uri.removeprefix(root).lstrip("/"), errors="replace")
                yield self._envelope.message(arguments, shown, [item.number for item in items])

    def _root_of(self, number: int) -> str:
        return self._roots[bisect_right(self._starts, number) - 1]


def _item(entry: Numbered) -> FileItem:
    """The file as a message names it; beside one that the scan could not look at there may be a sidecar."""
    return FileItem(entry.number, entry.file.uri, entry.file.sidecar is not None or entry.file.bytes < 0)
