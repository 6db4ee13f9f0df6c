"""Kills processes that write into an embedded catalog, and looks for every point that they had acknowledged."""

import random
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import ROOT
from tests.workers.storage.embedded.writing_child import BATCH
from tests.workers.storage.pictures import identity, picture
from workers.storage.embedded.catalog import EdgeCatalog

# The most batches that a writer lives for; over it the log passes the size at which the engine begins a new segment.
MOST_BATCHES = 60


@dataclass
class Tally:
    """What became of the points; `wrong` is empty when every acknowledged one is there, whole and found."""

    kills: int
    acknowledged: int = 0
    found: int = 0
    wrong: list[str] = field(default_factory=list)


def kill_writers(folder: Path, kills: int, rng: random.Random) -> Tally:
    """Kill a writer after a random number of batches, `kills` times over, each going on where the last one was cut."""
    tally = Tally(kills)
    acknowledged: set[int] = set()
    for _ in range(kills):
        acknowledged |= _write_and_die(folder, max(acknowledged, default=-1) + 1, rng.randint(1, MOST_BATCHES))
    numbers = [number for batch in sorted(acknowledged) for number in range(batch * BATCH, (batch + 1) * BATCH)]
    tally.acknowledged = len(numbers)
    catalog = EdgeCatalog(folder, "pictures")
    known = catalog.payloads([identity(number) for number in numbers], ["bytes"])
    tally.found = len(known)
    for number in numbers:
        if known.get(identity(number)) != {"bytes": 1000 + number}:
            tally.wrong.append(f"point {number} is lost or torn")
    for number in numbers[:: max(1, len(numbers) // 20)]:
        if catalog.search(picture(number).vector, 1)[0].id != identity(number):
            tally.wrong.append(f"point {number} is not found by its own vector")
    # A batch that was written but not acknowledged may be there, whole or not at all.
    beyond = catalog.count() - len(numbers)
    if beyond % BATCH or not 0 <= beyond <= kills * BATCH:
        tally.wrong.append(f"{beyond} points more than were acknowledged")
    catalog.close()
    return tally


def _write_and_die(folder: Path, first: int, batches: int) -> set[int]:
    command = [sys.executable, "-m", "tests.workers.storage.embedded.writing_child", str(folder), str(first)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        lines = [child.stdout.readline() for _ in range(batches)]
        child.kill()
        # What it had printed before the kill reached it was acknowledged as well; a torn last line was not.
        lines += [line for line in child.stdout if line.endswith("\n")]
    return {int(line) for line in lines}
