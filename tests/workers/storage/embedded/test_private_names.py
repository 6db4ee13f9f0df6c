"""Names of files of the embedded engine that the synced write-ahead log and the count of places rely on."""

import re
from pathlib import Path

from tests.private_names import fail, require_documented
from tests.workers.storage.pictures import DIM, MODEL, identity, picture
from workers.storage.embedded.catalog import EdgeCatalog

FILE = "workers/storage/embedded/durable.py"


def test_the_engine_writes_its_log_where_and_as_ours_syncs_it(folder: Path) -> None:
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    log = folder / "pictures" / "shard" / "wal"
    seen: set[str] = set()
    try:
        # Until a segment of the log is full, some 30 MB.
        for number in range(0, 100_000, 500):
            catalog.upsert([picture(number + offset, caption="x" * 4000) for offset in range(500)])
            seen = {path.name for path in log.iterdir()} if log.is_dir() else set()
            if any(not name.startswith(("open-", "first-index", ".")) for name in seen):
                break
    finally:
        catalog.close()
    require_documented("shard/temp_segments")  # exists only while the engine optimises
    for name, pattern in (("shard/wal/open-*", r"open-\d+"), ("shard/wal/closed-*", r"closed-\d+")):
        require_documented(name)
        if not any(re.fullmatch(pattern, file) for file in seen):
            fail("qdrant-edge-py", name, FILE, f"is not among the files of its log: {sorted(seen)}")


def test_the_engine_writes_eight_bytes_for_each_place_also_of_a_deleted_point(folder: Path) -> None:
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    catalog.upsert([picture(number) for number in range(30)])
    catalog.delete([identity(number) for number in range(10)])
    catalog.close()
    name = "shard/segments/*/*id_tracker.versions"
    require_documented(name)
    if [file.stat().st_size for file in (folder / "pictures").glob(name)] != [30 * 8]:
        fail("qdrant-edge-py", name, "workers/storage/embedded/compaction.py", "has not 8 bytes a place")
