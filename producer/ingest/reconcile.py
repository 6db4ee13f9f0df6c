"""Reconciliation: finds files that are under way and whose messages are nowhere, and publishes those again.

A message can be lost: kombu takes it out of its queue before it notes who holds it, so a worker that is killed in that
moment takes it along; a Redis that fails may forget its last second. Every message names its job and its files in a
header (`files_header`), from the window to the storage worker, so each file can be looked for by name, whoever else is
busy. Publishing a file twice does no harm at any step.
"""

import time
from collections.abc import Iterator
from typing import Any, cast

import redis

from producer.ingest.window import Window
from tasks.broker.scripts import run_script
from tasks.envelope import header_text
from tasks.ledger import Ledger
from tasks.queues import FILES, FILES_LATER, POINTS, UNACKED, files_of_worker
from tasks.recoveries import recovered
from tasks.registry import silent_workers, workers

LOOK_SECONDS = 4.0
# A look takes at most this part of the time, however much is in the queues.
SHARE = 0.01
# Between the pop of a message and the note that a worker holds it lies a moment in which it is nowhere to be seen, so
# one look proves nothing.
NOWHERE_SECONDS = 3.0
PAGE = 500

# KEYS: a queue; ARGV: first and last place, what stands before the numbers of a file of the job.
# Returns how many messages there were, and the numbers, as texts like "1,2,3".
_IN_QUEUE = """
local messages = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
local found = {}
for _, raw in ipairs(messages) do
  local first, last = string.find(raw, ARGV[3], 1, true)
  if first then found[#found + 1] = string.match(raw, '^[%d,]*', last + 1) end
end
return {#messages, found}
"""
# KEYS: the hash of messages that workers hold; ARGV: cursor, how many, the same. Returns the next cursor and the same.
_IN_HANDS = """
local page = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local found = {}
for i = 2, #page[2], 2 do
  local first, last = string.find(page[2][i], ARGV[3], 1, true)
  if first then found[#found + 1] = string.match(page[2][i], '^[%d,]*', last + 1) end
end
return {page[1], found}
"""


def message_counts(client: redis.Redis) -> tuple[int, int, int]:
    """Messages in `files` and `files.later`, in `points`, and in the hands of workers."""
    pipe = client.pipeline(transaction=False)
    pipe.llen(FILES)
    pipe.llen(FILES_LATER)
    pipe.llen(POINTS)
    pipe.hlen(UNACKED)
    files, later, points, held = cast(tuple[int, int, int, int], tuple(pipe.execute()))
    return files + later, points, held


class Reconciler:
    """Publishes again what is under way and was nowhere in two looks, some seconds apart."""

    def __init__(self, client: redis.Redis, ledger: Ledger, window: Window) -> None:
        self._client = client
        self._ledger = ledger
        self._window = window
        self._header = header_text(ledger.job)
        self._looked = 0.0
        self._pause = LOOK_SECONDS
        # Number of a file that was nowhere -> since when.
        self._missing: dict[int, float] = {}

    def publish_missing(self, now: float) -> int:
        """One look at time `now` (seconds, monotonic), not more often than every LOOK_SECONDS.

        Returns how many files were published again; raises RedisError while Redis is away.
        """
        if not self._window.under_way or now - self._looked < self._pause:
            return 0
        self._looked = now
        begin = time.perf_counter()
        missing = self._window.under_way.keys() - self._in_messages()
        # Asked last: a file whose message is gone for good is in the ledger by now.
        missing -= self._ledger.done(list(missing))
        self._pause = max(LOOK_SECONDS, (time.perf_counter() - begin) / SHARE)
        self._missing = {number: self._missing.get(number, now) for number in missing}
        lost = [number for number, since in self._missing.items() if now - since >= NOWHERE_SECONDS]
        if lost:
            self._window.publish_again(lost)
            recovered(self._client, "published_again", len(lost))
            self._missing = {}
        return len(lost)

    def in_work(self) -> int:
        """How many files under way stand in some message; raises RedisError while Redis is away."""
        return len(self._window.under_way.keys() & self._in_messages())

    def _in_messages(self) -> set[int]:
        """The numbers of this job's files that stand in any message.

        The queues are read in the order in which files move through them, so that one that moves meanwhile is seen.
        """
        numbers: set[int] = set()
        # The queue of a worker that is gone is nobody's: what lies there goes to the others. One that is not heard may
        # only pause, and files wait there that nobody else can reach.
        own = workers(self._client) | silent_workers(self._client)
        for queue in (FILES, FILES_LATER, *map(files_of_worker, own)):
            numbers.update(self._in_queue(queue))
        numbers.update(self._in_hands())
        numbers.update(self._in_queue(POINTS))
        numbers.update(self._in_hands())
        return numbers

    def _in_queue(self, queue: str | bytes) -> Iterator[int]:
        # From the end where messages come in: what is published meanwhile moves the others on, and none is missed.
        start, messages = 0, PAGE
        while messages == PAGE:
            page = [start, start + PAGE - 1, self._header]
            messages, texts = run_script(self._client, _IN_QUEUE, [queue], page)
            start += PAGE
            yield from _numbers(texts)

    def _in_hands(self) -> Iterator[int]:
        cursor: Any = 0
        while True:
            cursor, texts = run_script(self._client, _IN_HANDS, [UNACKED], [cursor, PAGE, self._header])
            yield from _numbers(texts)
            if int(cursor) == 0:
                return


def _numbers(texts: list[bytes]) -> Iterator[int]:
    return (int(number) for text in texts for number in text.split(b",") if number)
