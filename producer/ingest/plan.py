"""Which files need work: ask the storage worker what the collection already holds unchanged."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

from producer.ingest.sources.scan import FileRef
from tasks.messages import Target
from tasks.queues import PLAN
from tasks.rpc import Question

# Small beside what an answer takes to come, and so is the memory of the two chunks that are under way.
CHUNK = 1000


@dataclass(frozen=True)
class Numbered:
    """A file with its number in the job."""

    number: int
    file: FileRef


@dataclass(frozen=True)
class Planned:
    """A stretch of the scan: what needs work, and the numbers of what is there already."""

    work: list[Numbered]
    unchanged: list[int]


def plan(
    files: Iterable[FileRef],
    target: Target,
    answer: Callable[[Question], bytes],
    insist: Callable[[Callable[[], Question]], Question] = lambda ask: ask(),
) -> Iterator[Planned]:
    """Number the files and sort them, a chunk at a time; while one chunk is used the next one is asked about.

    `answer` waits for the storage worker, `insist` for a Redis that takes the question.
    Raises WrongUse when the collection holds another model's embeddings.
    """
    stream = (Numbered(number, file) for number, file in enumerate(files))
    pending: tuple[list[Numbered], Question] | None = None
    while chunk := list(islice(stream, CHUNK)):
        ask = partial(
            Question,
            PLAN,
            target,
            clip_model=target.clip,
            blip_model=target.blip or None,
            uris=[entry.file.uri for entry in chunk],
            sizes=[entry.file.bytes for entry in chunk],
            mtimes=[entry.file.mtime for entry in chunk],
        )
        question = insist(ask)
        if pending is not None:
            yield _sorted_out(pending[0], answer(pending[1]))
        pending = chunk, question
    if pending is not None:
        yield _sorted_out(pending[0], answer(pending[1]))


def _sorted_out(chunk: list[Numbered], unchanged: bytes) -> Planned:
    return Planned(
        work=[entry for entry, same in zip(chunk, unchanged, strict=True) if not same],
        unchanged=[entry.number for entry, same in zip(chunk, unchanged, strict=True) if same],
    )
