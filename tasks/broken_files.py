"""Files whose content cannot be read, kept by size and time: while they stay as they are, no worker tries them again.

Only what lies in the bytes of a file is kept, and only as long as what reads them is the same. A Redis that is lost
costs one more try of each.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import msgpack
import redis

from settings import load_settings
from tasks.broker.full import WRITE_FIRST
from tasks.broker.scripts import run_script
from tasks.checkpoint import PREPROCESSING
from tasks.queues import PREFIX

# Raise it when a file that could not be read may be read now.
READERS = "1"
BROKEN = f"{PREFIX}:broken"
# The same keys by the time at which they were kept.
BROKEN_TIMES = f"{PREFIX}:broken:times"
# Some 300 bytes each; the oldest go first.
MOST = 250_000
PAGE = 1000

# KEYS: the entries, their times; ARGV: most, key, entry, key, entry, ...
_KEEP = (
    WRITE_FIRST
    + """
local now = redis.call('TIME')[1]
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  redis.call('ZADD', KEYS[2], now, ARGV[i])
end
local over = redis.call('ZCARD', KEYS[2]) - ARGV[1]
if over > 0 then
  local oldest = redis.call('ZPOPMIN', KEYS[2], over)
  for i = 1, #oldest, 2 do redis.call('HDEL', KEYS[1], oldest[i]) end
end
"""
)


# Files as somebody sees them: URI, size in bytes, modification time in nanoseconds.
Seen = Sequence[tuple[str, int, int]]


@dataclass(frozen=True)
class BrokenFile:
    """A file as it was when its content could not be read: size in bytes, modification time in nanoseconds, why not."""

    uri: str
    bytes: int
    mtime: int
    stage: str
    reason: str


class BrokenFiles:
    """The broken files of this collection."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        ingest = load_settings().ingest
        self._readers = f"{READERS}.{PREPROCESSING}.{ingest.max_pixels}.{ingest.max_bytes}"

    def keep(self, files: Iterable[BrokenFile]) -> None:
        """Keep these files, in place of what was kept of them; a full Redis takes it as well."""
        arguments: list[bytes] = []
        for file in files:
            entry = [self._readers, file.bytes, file.mtime, file.stage, file.reason]
            arguments += [_key(file.uri), cast(bytes, msgpack.packb(entry))]
        if arguments:
            run_script(self._client, _KEEP, [BROKEN, BROKEN_TIMES], [MOST, *arguments])

    def unchanged(self, files: Seen) -> list[BrokenFile | None]:
        """What is kept of these files as they are now, None for the others; an entry that is out of date goes."""
        if not files:
            return []
        entries = cast(list[bytes | None], self._client.hmget(BROKEN, [_key(uri) for uri, _, _ in files]))
        found: list[BrokenFile | None] = []
        outdated: list[str] = []
        for (uri, size, mtime), entry in zip(files, entries, strict=True):
            found.append(None)
            if entry is None:
                continue
            *seen, stage, reason = msgpack.unpackb(entry)
            if seen == [self._readers, size, mtime]:
                found[-1] = BrokenFile(uri, size, mtime, stage, reason)
            else:
                outdated.append(uri)
        self.forget(outdated)
        return found

    def forget(self, uris: Sequence[str]) -> None:
        """Let these files be tried again."""
        for start in range(0, len(uris), PAGE):
            keys = [_key(uri) for uri in uris[start : start + PAGE]]
            pipe = self._client.pipeline(transaction=False)
            pipe.hdel(BROKEN, *keys)
            pipe.zrem(BROKEN_TIMES, *keys)
            pipe.execute()


def _key(uri: str) -> bytes:
    return hashlib.blake2b(uri.encode(), digest_size=16).digest()
