"""A new shard without the places of deleted points, which the embedded engine keeps for ever in memory and on disk."""

from pathlib import Path

import qdrant_edge as edge

from workers.storage.embedded.folder import sync_tree

# With fewer places of deleted points than this, or than there are points, it is not worth the work: so a point is
# copied at most once for each one that was deleted.
LEAST_DELETED = 4096
# Until the new shard takes over there are two of them in memory; this many points take about half a gigabyte.
MOST_POINTS = 200_000
# Some 60 ms, with the lock held.
POINTS_A_STEP = 512
# The engine writes a number of 8 bytes for each place, at each flush.
BYTES_A_PLACE = 8


def is_worth_it(shard: edge.EdgeShard, folder: Path) -> bool:
    """Whether most places of a shard that has just been flushed into `folder` are those of deleted points."""
    versions = folder.glob("segments/*/*id_tracker.versions")
    places = sum(file.stat().st_size for file in versions) // BYTES_A_PLACE
    points = shard.info().points_count
    return points <= MOST_POINTS and places - points >= max(LEAST_DELETED, points)


class Compaction:
    """Copies what a shard has into a new one in `folder`, step by step.

    Whatever is written into the old shard meanwhile has to be written into `shard` as well, in the same order. A point
    that is deleted before its turn is copied by no step; one that was written before it is copied again as it is.
    """

    def __init__(self, folder: Path, shard: edge.EdgeShard) -> None:
        self.folder, self.shard = folder, shard
        self._after: str | None = None

    def step(self, old: edge.EdgeShard) -> bool:
        """Copy the next points; True when those were the last."""
        records, after = old.scroll(edge.ScrollRequest(self._after, POINTS_A_STEP, None, True, True))
        points = [edge.Point(record.id, record.vector or {}, record.payload or {}) for record in records]
        if points:
            self.shard.update(edge.UpdateOperation.upsert_points(points))
        self._after = None if after is None else str(after)
        return self._after is None

    def finish(self) -> None:
        """Write the new shard to disk, whole: the engine leaves some of its files to the kernel."""
        self.shard.flush()
        sync_tree(self.folder)
