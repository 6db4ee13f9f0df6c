"""Writes batches into an embedded catalog, or deletes them, as each line that it reads says, and says when it has."""

import sys
from pathlib import Path

from tests.workers.storage.pictures import DIM, MODEL, identity, picture
from workers.storage.embedded import compaction, durable
from workers.storage.embedded.catalog import EdgeCatalog

BATCH = 8


def numbers_of(batch: int) -> range:
    """The numbers of the pictures of a batch."""
    return range(batch * BATCH, (batch + 1) * BATCH)


def make_anew_soon() -> None:
    """A few deleted points are enough for a new shard, which is made in many steps."""
    compaction.LEAST_DELETED, compaction.POINTS_A_STEP, durable.POINTS_BETWEEN_FLUSHES = 2 * BATCH, 3, 3 * BATCH


def main() -> None:
    """Argument: the catalog's folder. A line "write" or "delete" is the next batch, "maintain" an idle moment."""
    make_anew_soon()
    catalog = EdgeCatalog(Path(sys.argv[1]), "pictures")
    catalog.ensure(DIM, MODEL)
    print("ready", flush=True)
    done = {"write": 0, "delete": 0, "maintain": 0}
    for line in sys.stdin:
        what = line.strip()
        numbers = numbers_of(done[what])
        if what == "write":
            catalog.upsert([picture(number) for number in numbers])
        elif what == "delete":
            catalog.delete([identity(number) for number in numbers])
        else:
            catalog.maintain()
        done[what] += 1
        print(done[what], flush=True)


if __name__ == "__main__":
    main()
