"""Which files need work: neither those that the collection holds unchanged, which the storage worker is asked for, nor
those that failed and have not changed since.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from producer.ingest.sources.scan import FileRef
from tasks.broken_files import BrokenFile, Seen
from tasks.messages import Target
from tasks.outcomes import Failure
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
    """A stretch of the scan: what needs work, the numbers of what is there already, and what is still broken."""

    work: list[Numbered]
    unchanged: list[int]
    still_broken: list[Failure] = field(default_factory=list)


LookUp = Callable[[Seen], Sequence[BrokenFile | None]]


def plan(
    files: Iterable[FileRef],
    target: Target,
    answer: Callable[[Question], bytes],
    insist: Callable[[Callable[[], Question]], Question] = lambda ask: ask(),
    broken: LookUp = lambda files: [None] * len(files),
) -> Iterator[Planned]:
    """Number the files and sort them, a chunk at a time; while one chunk is used the next one is asked about.

    `answer` waits for the storage worker, `insist` for a Redis that takes the question; `broken` tells which files
    failed as they are now, and are not tried again.
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
            ocr_model=target.ocr or None,
            uris=[entry.file.uri for entry in chunk],
            sizes=[entry.file.bytes for entry in chunk],
            mtimes=[entry.file.mtime for entry in chunk],
            sidecars=[entry.file.sidecar for entry in chunk],
        )
        question = insist(ask)
        if pending is not None:
            yield _sorted_out(pending[0], answer(pending[1]), broken)
        pending = chunk, question
    if pending is not None:
        yield _sorted_out(pending[0], answer(pending[1]), broken)


def _sorted_out(chunk: list[Numbered], unchanged: bytes, broken: LookUp) -> Planned:
    others = [entry for entry, same in zip(chunk, unchanged, strict=True) if not same]
    kept = broken([(entry.file.uri, entry.file.bytes, entry.file.mtime) for entry in others])
    return Planned(
        work=[entry for entry, known in zip(others, kept, strict=True) if known is None],
        unchanged=[entry.number for entry, same in zip(chunk, unchanged, strict=True) if same],
        still_broken=[
            Failure(entry.number, known.uri, known.stage, known.reason)
            for entry, known in zip(others, kept, strict=True)
            if known is not None
        ],
    )
