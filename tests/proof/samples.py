"""What everything in a soak takes, looked at again and again, and whether it grows."""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import redis

from tasks.rpc.answers import REMEMBERED_SECONDS
from tests.e2e.several_machines import Machines

# The share of the time after which everything is warm, and the growth from there to the end that counts as flat.
WARM_SHARE, FLAT = 1 / 6, 1.10
# What may differ without growing: a thread of a process more or less, and the places of points that are deleted until a
# new shard takes over.
SLACK = {"memory": 15e6, "fds": 8, "keys": 12, "disk": 64e6}
# What Redis says of the time that a key without one has.
FOR_EVER = -1


@dataclass
class Samples:
    """At several shares of the time, from 0 to 1: figures by name, such as "storage memory"."""

    taken: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    def take(self, share: float, machines: Machines, more: dict[str, int]) -> None:
        """Look at all workers, at `more` (name -> process id), at Redis and at the embedded catalog."""
        pids = {**{name: process.pid for name, process in machines._processes.items()}, **more}
        found: dict[str, float] = {}
        for name, pid in pids.items():
            found[f"{name} memory"], found[f"{name} fds"] = _own_memory(pid), psutil.Process(pid).num_fds()
        found["redis keys"] = _keys(machines.client)
        found["catalog disk"] = _bytes_on_disk(machines.folder / "storage" / "catalog")
        self.taken.append((share, found))

    def growth(self) -> dict[str, tuple[float, float]]:
        """Figure -> its median in the sixth after the warm-up, and in the last sixth."""
        early = [each for share, each in self.taken if WARM_SHARE <= share < 2 * WARM_SHARE]
        late = [each for share, each in self.taken if share >= 1 - WARM_SHARE]
        names = {name for each in early for name in each} & {name for each in late for name in each}
        return {name: (_median(early, name), _median(late, name)) for name in sorted(names)}

    def grown(self) -> list[str]:
        """A sentence for each figure that is not flat."""
        return [
            f"{name} grew from {early:,.0f} to {late:,.0f}"
            for name, (early, late) in self.growth().items()
            if late > max(early * FLAT, early + SLACK.get(name.split()[-1], 0.0))
        ]


def _own_memory(pid: int) -> int:
    """Bytes of memory of a process without the pages of files, which the system takes back when it needs them.

    Pages of a file that one process alone has mapped count as its own in USS, though not here.
    """
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return 1024 * int(lines["RssAnon"].split()[0])


def _bytes_on_disk(folder: Path) -> int:
    """What the files below a folder take of the disk; some go while they are counted."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += 512 * Path(path, name).stat().st_blocks
    return total


def _keys(client: redis.Redis) -> int:
    """The keys that stay: of others, such as answers that nobody took, there are as many as the last minutes left."""
    keys = [key for key in client.scan_iter(count=1000) if not key.startswith(b"darkroom:job:")]
    pipe = client.pipeline(transaction=False)
    for key in keys:
        pipe.ttl(key)
    return sum(1 for seconds in pipe.execute() if seconds == FOR_EVER or seconds > REMEMBERED_SECONDS)


def _median(samples: list[dict[str, float]], name: str) -> float:
    values = sorted(each[name] for each in samples if name in each)
    return values[len(values) // 2]
