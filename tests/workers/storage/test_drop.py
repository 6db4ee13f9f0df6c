"""A collection that is removed and made anew for another model, in both homes."""

import os
from pathlib import Path

import pytest

from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage.catalog import Catalog, ModelMismatch
from workers.storage.embedded.catalog import EdgeCatalog


def test_a_dropped_collection_reads_as_empty_and_takes_another_model(filled: Catalog) -> None:
    filled.drop()
    assert (filled.count(), filled.clip_model(), filled.facet("format")) == (0, None, {})
    assert filled.scroll(None, 5) == ([], None)
    filled.ensure(DIM + 1, "other/clip")
    assert filled.clip_model() == "other/clip"
    with pytest.raises(ModelMismatch, match="--rebuild"):
        filled.ensure(DIM, MODEL)
    filled.drop()
    filled.ensure(DIM, MODEL)
    filled.upsert([picture(1)])
    assert filled.count() == 1


def test_dropping_what_is_not_there_is_fine(empty: Catalog) -> None:
    empty.drop()
    assert empty.count() == 0


def test_values_whose_points_are_all_deleted_are_not_counted(filled: Catalog) -> None:
    filled.delete([picture(number).id for number in range(0, 10, 3)])
    assert filled.facet("format") == {"PNG": 3, "WEBP": 3}


def test_a_dropped_embedded_collection_leaves_nothing_and_stays_gone(folder: Path) -> None:
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    catalog.upsert([picture(1)])
    catalog.drop()
    assert os.listdir(folder) == ["pictures.lock"]
    catalog.close()
    again = EdgeCatalog(folder, "pictures")
    assert again.clip_model() is None
    again.close()


def test_what_a_kill_left_of_a_drop_is_cleared_with_the_next_collection(folder: Path) -> None:
    (folder / ".pictures.dropped" / "shard").mkdir(parents=True)
    catalog = EdgeCatalog(folder, "pictures")
    catalog.ensure(DIM, MODEL)
    assert sorted(os.listdir(folder)) == ["pictures", "pictures.lock"]
    catalog.close()
