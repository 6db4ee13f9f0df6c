"""Writes batches into an embedded catalog, one for each line that it reads, and says each that is acknowledged."""

import sys
from pathlib import Path

from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage.embedded.catalog import EdgeCatalog

BATCH = 8


def main() -> None:
    """Argument: the catalog's folder. A line "write" is a batch, "maintain" is the upkeep of an idle moment."""
    catalog = EdgeCatalog(Path(sys.argv[1]), "pictures")
    catalog.ensure(DIM, MODEL)
    print("ready", flush=True)
    batch = 0
    for line in sys.stdin:
        if line.strip() == "maintain":
            catalog.maintain()
        else:
            catalog.upsert([picture(number) for number in range(batch * BATCH, (batch + 1) * BATCH)])
            batch += 1
        print(batch, flush=True)


if __name__ == "__main__":
    main()
