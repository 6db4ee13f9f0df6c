"""Files that need no disk, and the messages that wait in the real queue."""

from dataclasses import dataclass

from kombu.entity import Queue

from producer.ingest.plan import Numbered
from producer.ingest.sources.scan import FileRef
from tasks.app import app
from tasks.messages import FilesMessage, Target
from tasks.queues import FILES

ROOT_URI = "file:///pictures"
TARGET = Target("pictures", "clip", "blip")


def numbered(*numbers: int) -> list[Numbered]:
    """Files of a job by their numbers."""
    return [Numbered(number, FileRef(f"{ROOT_URI}/{number}.png", 100, 1)) for number in numbers]


@dataclass(frozen=True)
class Taken:
    """A message as a worker gets it: the task's name, what Flower shows of it, and what it asks for."""

    task: str
    shown: str
    job_of_the_task: str
    message: FilesMessage

    @property
    def numbers(self) -> list[int]:
        """The numbers of its files."""
        return [item.number for item in self.message.files]


def take_all() -> list[Taken]:
    """Everything in the queue `files`, oldest first; the queue is empty afterwards."""
    taken = []
    with app.connection_for_read() as connection:
        queue = Queue(FILES)(connection.channel())
        while message := queue.get(accept=["msgpack"]):
            _, arguments, _ = message.payload
            headers = message.headers
            taken.append(
                Taken(headers["task"], headers["argsrepr"], headers["root_id"], FilesMessage.from_wire(arguments))
            )
            message.ack()
    return taken
