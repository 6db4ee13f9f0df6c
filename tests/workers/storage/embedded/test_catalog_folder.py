"""What only the embedded catalog promises: one owner, a disk that never runs full, and no loss when it is killed."""

import json
import random
import shutil
from pathlib import Path

import pytest
from qdrant_edge import EdgeShard

from settings.errors import ServiceMissing, WrongUse
from tests.workers.storage.embedded.kill_writers import kill_writers
from tests.workers.storage.embedded.writing_child import BATCH
from tests.workers.storage.pictures import DIM, MODEL, identity, picture
from workers.storage.catalog import CatalogFull, ModelMismatch
from workers.storage.embedded.catalog import EdgeCatalog


def written(folder: Path) -> EdgeCatalog:
    """An open catalog with the pictures 0 to 9."""
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    catalog.upsert([picture(number) for number in range(10)])
    return catalog


def test_it_is_the_same_after_it_was_closed(folder: Path) -> None:
    written(folder).close()
    again = EdgeCatalog(folder, "pictures")
    assert again.clip_model() == MODEL
    assert again.count({"all": [{"field": "format", "is": "PNG"}]}) == 3
    with pytest.raises(ModelMismatch):
        again.ensure(DIM, "other/clip")
    again.close()


def test_a_second_opener_is_told_that_it_is_in_use(folder: Path) -> None:
    catalog = EdgeCatalog(folder, "pictures")
    with pytest.raises(ServiceMissing, match="in use by another process"):
        EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    with pytest.raises(ServiceMissing, match="in use by another process"):
        EdgeCatalog(folder, "pictures")
    EdgeCatalog(folder, "others").close()
    catalog.close()
    EdgeCatalog(folder, "pictures").close()


def test_a_nearly_full_disk_is_refused_before_anything_is_written(folder: Path) -> None:
    written(folder).close()
    full = EdgeCatalog(folder, "pictures", reserve=2**62)
    with pytest.raises(CatalogFull, match="MiB"):
        full.upsert([picture(number) for number in range(20)])
    assert full.count() == 10
    full.close()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServiceMissing, match="file/catalog"):
        EdgeCatalog(tmp_path / "file" / "catalog", "pictures")


def test_a_broken_collection_is_named_and_left_for_another_try(folder: Path) -> None:
    written(folder).close()
    about = folder / "pictures" / "about.json"
    kept = about.read_text()
    about.write_text("{")
    with pytest.raises(ServiceMissing, match=r"about\.json"):
        EdgeCatalog(folder, "pictures")
    about.write_text(kept)
    (folder / "pictures" / "shard" / "edge_config.json").write_text("{")
    with pytest.raises(ServiceMissing, match="cannot be opened"):
        EdgeCatalog(folder, "pictures")


def test_making_it_starts_over_where_an_earlier_try_was_killed(folder: Path) -> None:
    (folder / "pictures.new" / "shard" / "segments").mkdir(parents=True)
    (folder / "pictures.new" / "shard" / "edge_config.json").write_text("{")
    catalog = written(folder)
    assert catalog.count() == 10
    assert not (folder / "pictures.new").exists()
    catalog.close()


def test_what_a_killed_optimisation_left_is_removed(folder: Path) -> None:
    written(folder).close()
    left = folder / "pictures" / "shard" / "temp_segments"
    (left / "unfinished").mkdir(parents=True)
    EdgeCatalog(folder, "pictures").close()
    assert not left.exists()


def test_upkeep_writes_to_disk_and_never_builds_a_graph(folder: Path) -> None:
    """The engine builds one for all points at once and holds the GIL, so the whole worker stands still for minutes."""
    written(folder).close()
    config = folder / "pictures" / "shard" / "edge_config.json"
    # From here on the engine would build a graph for a handful of points, whenever it is asked to.
    config.write_text(json.dumps(json.loads(config.read_text()) | {"optimizers": {"indexing_threshold": 1}}))
    catalog = EdgeCatalog(folder, "pictures")
    for start in range(0, 3000, 500):
        catalog.upsert([picture(number) for number in range(start, start + 500)])
        catalog.maintain()
    nearest = [catalog.search(picture(number).vector, 1)[0].id for number in (0, 1999, 2999)]
    assert nearest == [identity(number) for number in (0, 1999, 2999)]
    flushed = folder / "flushed"
    shutil.copytree(folder / "pictures" / "shard" / "segments", flushed / "segments")
    catalog.close()
    shutil.copy(config, flushed)
    shard = EdgeShard.load(str(flushed))
    info = shard.info()
    # The words of all points are indexed as they come, their embeddings are not.
    assert (info.points_count, info.indexed_vectors_count, info.segments_count) == (3000, 3000, 1)
    # The engine itself would have done it.
    assert shard.optimize()
    assert shard.info().indexed_vectors_count == 6000
    shard.close()


def test_a_field_of_very_many_values_is_not_counted_value_by_value(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.storage.embedded.catalog.MAX_VALUES", 9)
    catalog = written(folder)
    assert len(catalog.facet("name", limit=10)) == 10
    catalog.delete([identity(9)])
    assert len(catalog.facet("name", limit=5)) == 5
    catalog.upsert([picture(number) for number in range(20)])
    for where in (None, {"all": [{"field": "format", "is": "PNG"}]}):
        with pytest.raises(WrongUse, match="name has more than 9 different values"):
            catalog.facet("name", where, limit=5)
    assert sum(catalog.facet("format").values()) == 20
    catalog.close()


def test_the_log_alone_brings_back_what_was_acknowledged(folder: Path) -> None:
    """A power cut after upsert() returned: of the shard only the state of the last flush is on disk, and the log."""
    catalog = written(folder)
    catalog.maintain()
    flushed, cut = folder / "pictures" / "shard", folder / "cut"
    shutil.copytree(flushed / "segments", cut / "segments")
    for start in range(10, 5000, 500):
        catalog.upsert([picture(number) for number in range(start, start + 500)])
    catalog.delete([identity(3)])
    shutil.copytree(flushed / "wal", cut / "wal")
    catalog.close()
    for part in ("segments", "wal"):
        shutil.rmtree(flushed / part)
        shutil.move(cut / part, flushed / part)
    again = EdgeCatalog(folder, "pictures")
    assert again.count() == 5009
    assert again.payloads([identity(number) for number in (3, 5009)], ["width"]) == {identity(5009): {"width": 500900}}
    again.close()


@pytest.mark.chaos
def test_a_writer_killed_three_times_loses_no_acknowledged_point(folder: Path) -> None:
    tally = kill_writers(folder, 3, random.Random(5))
    assert tally.wrong == []
    assert tally.acknowledged >= 3 * BATCH
