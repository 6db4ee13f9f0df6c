"""How files end: how many of a job ended how, the bit that says it, and why one failed, in a few bytes a file."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import msgpack
import redis

OUTCOMES = ("stored", "failed", "skipped", "reused", "still_broken")

# Redis takes no bit beyond this one.
MOST_NUMBER = 2**32 - 1
# A URI is kept with a failure for so many of them; the names of all are in the list of the job's files.
MOST_URIS = 10_000
# Different reasons that a job may have; files behind them share the last one.
MOST_REASONS = 1_000
OTHER_REASONS = ("any", "one of too many different reasons: see the log of the worker")
# Two bytes a file say which reason it has, in strings of so many files each.
CHUNK = 8192
READ_BYTES = 4096


@dataclass(frozen=True)
class Failure:
    """Why one file failed: at which stage, and the reason in words; the URI is empty where only the number is kept.

    With `still_broken` it failed in an earlier job, and was not tried again, for it has not changed.
    """

    number: int
    uri: str
    stage: str
    reason: str
    still_broken: bool = False


@dataclass(frozen=True)
class Counts:
    """The number of files with each outcome; `reused` is a part of `stored`, `still_broken` one of `skipped`."""

    stored: int = 0
    failed: int = 0
    skipped: int = 0
    reused: int = 0
    still_broken: int = 0

    @property
    def unchanged(self) -> int:
        """Files that the collection holds as they are."""
        return self.skipped - self.still_broken

    @property
    def finished(self) -> int:
        """Files that need nothing more."""
        return self.stored + self.failed + self.skipped


def check_numbers(numbers: Iterable[int]) -> None:
    """Raise ValueError for numbers that no file of a job can have, for the ledger has no bit for them."""
    for number in numbers:
        if not 0 <= number <= MOST_NUMBER:
            raise ValueError(f"{number} is no number of a file: it must be from 0 to {MOST_NUMBER}")


def has_bit(bitmap: bytes, offset: int) -> bool:
    """Whether a bit of a bitmap is set; beyond its end none is."""
    # Redis numbers the bits of a byte from the most significant one.
    place = offset // 8
    return place < len(bitmap) and bool(bitmap[place] >> (7 - offset % 8) & 1)


def bits_of(stretch: bytes, first: int = 0) -> Iterator[int]:
    """The numbers of the bits that are set in a stretch of a bitmap whose first bit is number `first`."""
    for place, byte in enumerate(stretch):
        if byte:
            yield from (first + 8 * place + bit for bit in range(8) if byte & (128 >> bit))


def fail_arguments(failures: Iterable[Failure]) -> list[Any]:
    """The arguments of the scripts FAIL and STILL_BROKEN for these failures; empty for none."""
    arguments: list[Any] = []
    for failure in failures:
        arguments += [failure.number, msgpack.packb([failure.stage, failure.reason]), failure.uri]
    return [MOST_URIS, MOST_REASONS, CHUNK, *arguments] if arguments else []


def read_failures(
    client: redis.Redis, keys: dict[str, str], after: int, limit: int | None, bits: str = "failed"
) -> Iterator[Failure]:
    """The failed files behind number `after`, in the order of their numbers, at most `limit` of them.

    `keys` names the Redis keys "failed", "still_broken", "uris", "reasons" and the beginning of those of the "codes";
    `bits` says which of the first two. A page is read at a time, so the first ones come at once however many there are.
    """
    packed = cast(dict[bytes, bytes], client.hgetall(keys["reasons"]))
    reasons = {int(number): tuple(msgpack.unpackb(reason)) for reason, number in packed.items()}
    left = limit
    start = (after + 1) // 8
    while left is None or left > 0:
        stretch = cast(bytes, client.getrange(keys[bits], start, start + READ_BYTES - 1))
        if not stretch:
            return
        numbers = [number for number in bits_of(stretch, 8 * start) if number > after]
        numbers = numbers if left is None else numbers[:left]
        if numbers:
            for failure in _page(client, keys, numbers, reasons):
                yield replace(failure, still_broken=bits == "still_broken")
        left = None if left is None else left - len(numbers)
        start += READ_BYTES


def _page(
    client: redis.Redis, keys: dict[str, str], numbers: Sequence[int], reasons: dict[int, tuple[str, ...]]
) -> Iterator[Failure]:
    pipe = client.pipeline(transaction=False)
    chunks = sorted({number // CHUNK for number in numbers})
    for chunk in chunks:
        pipe.get(f"{keys['codes']}{chunk}")
    pipe.hmget(keys["uris"], [str(number) for number in numbers])
    *found, uris = pipe.execute()
    codes = dict(zip(chunks, found, strict=True))
    for number, uri in zip(numbers, uris, strict=True):
        at = 2 * (number % CHUNK)
        code = int.from_bytes((codes[number // CHUNK] or b"")[at : at + 2], "big")
        stage, reason = reasons.get(code, OTHER_REASONS)
        yield Failure(number, uri.decode(errors="surrogateescape") if uri else "", stage, reason)
