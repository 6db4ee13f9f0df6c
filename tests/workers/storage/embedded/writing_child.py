"""Writes batches into an embedded catalog until it is killed, and prints each batch's number once it is durable."""

import itertools
import sys
from pathlib import Path

from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage.embedded.catalog import EdgeCatalog

BATCH = 64


def main() -> None:
    """Arguments: the catalog's folder, the number of the first batch."""
    catalog = EdgeCatalog(Path(sys.argv[1]), "pictures")
    catalog.ensure(DIM, MODEL)
    for batch in itertools.count(int(sys.argv[2])):
        catalog.upsert([picture(number) for number in range(batch * BATCH, (batch + 1) * BATCH)])
        print(batch, flush=True)


if __name__ == "__main__":
    main()
