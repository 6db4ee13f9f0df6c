"""The power is cut: what was acknowledged is on disk, by what was synced and by nothing else.

At each cut the folder is built anew twice: of what was synced alone, and with some of the pages and names that were
not, as a disk may have written them in any order. Then what opens it must find all that was acknowledged.
"""

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import redis

from tests.conftest import redis_server
from tests.proof.power_child import BATCH
from tests.proof.synced import FILE_SYNCS, MEMORY, SYNCS, Traced
from tests.workers.storage.pictures import identity, picture
from workers.storage.embedded.catalog import EdgeCatalog


@dataclass
class Cuts:
    """How often the power was cut, how many acknowledged points were looked for in all, and what was wrong."""

    cuts: int = 0
    points: int = 0
    lost: int = 0
    # Whether another shard than the first one was in use at the end.
    taken_over: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Told:
    """The batches that have to be there, for they were acknowledged, and those that must not: so many are deleted."""

    first: int = 0
    end: int = 0
    deleted: int = 0

    @property
    def points(self) -> range:
        """The numbers of the pictures that have to be there."""
        return range(self.first * BATCH, self.end * BATCH)


def cut_catalog(batches: int, seed: int, between: int = 0, keep: int = 0) -> Cuts:
    """Write so many batches into a new catalog, and cut the power after each acknowledgement.

    With `between`, upkeep runs after every third batch, and the power is cut after each `between`-th sync as well.
    Where `keep` is not 0, all but so many batches are deleted again, so that the shard is made anew several times.
    """
    rng, cuts = random.Random(seed), Cuts()
    with tempfile.TemporaryDirectory(prefix="darkroom-power-", dir=MEMORY) as scratch:
        root, rebuilt = Path(scratch) / "catalog", Path(scratch) / "rebuilt"
        root.mkdir()
        told, seen = Told(), 0

        def on_sync() -> None:
            nonlocal seen
            seen += told.end > 0
            if told.end and between and seen % between == 0:
                _cut(traced, rebuilt, told, rng, cuts)

        command = [sys.executable, "-m", "tests.proof.power_child", str(root)]
        # Flushes alone rely on msync; without it there are ten times fewer stops.
        traced = Traced(command, root, on_sync, SYNCS if between or keep else FILE_SYNCS)
        assert traced.ask() == "ready"
        for number in range(batches):
            told.end = int(traced.ask("write"))
            _cut(traced, rebuilt, told, rng, cuts)
            if keep and told.end > keep:
                told.first += 1  # until it is acknowledged it may be there or not
                told.deleted = int(traced.ask("delete"))
                _cut(traced, rebuilt, told, rng, cuts)
            if between and number % 3 == 1:
                traced.ask("maintain")
        cuts.taken_over = int("shard" in json.loads((root / "pictures" / "about.json").read_text()))
        traced.end()
    return cuts


def _cut(traced: Traced, rebuilt: Path, told: Told, rng: random.Random, cuts: Cuts) -> None:
    for what, keep in (("what was synced", None), ("some more", lambda: rng.random() < 0.5)):
        traced.disk.rebuild(rebuilt, keep)
        cuts.cuts += 1
        cuts.points += len(told.points)
        where = f"of {what} after batch {told.end} and {traced.disk.syncs} syncs"
        try:
            lost, back = _look_at_catalog(rebuilt, told)
        except Exception as error:  # whatever hinders the catalog from opening
            lost = len(told.points)
            cuts.wrong.append(f"{where}: {error}")
        else:
            if lost or back:
                cuts.wrong.append(f"{where}: {lost} points lost, {back} deleted ones there again")
        cuts.lost += lost
        shutil.rmtree(rebuilt)


def _look_at_catalog(folder: Path, told: Told) -> tuple[int, int]:
    """How many points that have to be there are lost, torn or not found by their vectors; how many deleted ones are."""
    catalog = EdgeCatalog(folder, "pictures", reserve=0)
    known = catalog.payloads([identity(number) for number in told.points], ["bytes"])
    whole = {number for number in told.points if known.get(identity(number)) == {"bytes": 1000 + number}}
    found = {number for number in whole if catalog.search(picture(number).vector, 1)[0].id == identity(number)}
    back = catalog.payloads([identity(number) for number in range(told.deleted * BATCH)], ["bytes"])
    catalog.close()
    return len(told.points) - len(found), len(back)


def cut_redis(cuts: int, seed: int) -> Cuts:
    """Write numbers into a Redis as the local stack runs it, and cut the power so often at a sync of its log.

    It syncs once a second: what it was told before the sync before that one has to be there, and nothing out of order.
    """
    rng, found = random.Random(seed), Cuts()
    with tempfile.TemporaryDirectory(prefix="darkroom-power-", dir=MEMORY) as scratch:
        root, rebuilt = Path(scratch) / "redis", Path(scratch) / "rebuilt"
        root.mkdir()
        told = [0]  # how many numbers had been told at each sync
        written = 0

        def on_sync() -> None:
            if told[-1]:  # before that nothing has to be there
                _look_at_redis(traced, rebuilt, told[-1], written, rng, found)
            told.append(written)

        socket = Path(scratch) / "redis.sock"
        traced = Traced(_redis(root, socket), root, on_sync)
        client = redis.Redis(unix_socket_path=str(socket))
        while found.cuts < 2 * cuts:
            try:
                written = int(client.rpush("numbers", written))
            except redis.ConnectionError:
                assert traced.process.poll() is None, "redis-server did not start"
            time.sleep(0.002)
        client.close()
        traced.end()
    return found


def _redis(folder: Path, socket: Path) -> list[str]:
    durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec", "--logfile", "/dev/null"]
    return [redis_server(), "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), *durable]


def _look_at_redis(traced: Traced, rebuilt: Path, at_least: int, written: int, rng: random.Random, found: Cuts) -> None:
    for keep in (None, lambda: rng.random() < 0.5):
        traced.disk.rebuild(rebuilt, keep)
        found.cuts += 1
        found.points += at_least
        socket = rebuilt / "redis.sock"
        server = subprocess.Popen(_redis(rebuilt, socket), stdout=subprocess.DEVNULL)
        client = redis.Redis(unix_socket_path=str(socket))
        numbers: list[bytes] | None = None
        while numbers is None and server.poll() is None:
            try:
                numbers = client.lrange("numbers", 0, -1)  # type: ignore[assignment]  # it waits, and so has no Awaitable
            except redis.ConnectionError:
                time.sleep(0.01)
        client.close()
        server.kill()
        server.wait()
        shutil.rmtree(rebuilt)
        kept = [int(number) for number in numbers or []]
        if numbers is None or kept != list(range(len(kept))) or not at_least <= len(kept) <= written + 1:
            found.lost += max(1, at_least - len(kept))
            found.wrong.append(f"{len(kept)} numbers, in order: {kept == sorted(kept)}; {at_least} were synced")
