"""A watched folder: whatever happens in it, the collection comes to hold what the folder holds."""

import hashlib
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from pictures.decode import decode
from producer.client import Darkroom
from producer.collection.watching.changes import ChangeBatch
from producer.collection.watching.pending import Pending
from producer.ingest.interrupts import Interrupts
from settings import load_settings
from tests.e2e.changing_folder import ChangingFolder, pictures_in
from tests.e2e.conftest import Home, wait_until
from tests.e2e.in_process import stack_without_models
from tests.e2e.watching import watching
from workers.inference.null import NullClip

pytestmark = pytest.mark.e2e

OPERATIONS, WAVES = 500, 4


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[Home]:
    """A home whose stack is kept up for the whole module."""
    with stack_without_models(tmp_path_factory.mktemp("watched"), redis_process) as kept:
        yield kept


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pictures"
    path.mkdir()
    return path


def assert_equals(home: Home, folder: Path) -> None:
    """The collection comes to hold each picture below the folder under its own name, with its own embedding, and no
    others: where a folder is polled, what is gone may be told after what came last."""
    files = {path.as_uri(): path.read_bytes() for path in pictures_in(folder)}
    rows: dict[str, dict[str, Any]] = {}

    def are_the_same() -> bool:
        table = folder.parent / f"export-{time.monotonic_ns()}.parquet"
        assert home.json("export", str(table))["exit"] == 0
        rows.clear()
        rows.update((row["uri"], row) for row in pyarrow.parquet.read_table(table).to_pylist())
        return {uri for uri in rows if uri.startswith(folder.as_uri() + "/")} == set(files)

    wait_until(are_the_same)
    held = rows
    # The null model's embedding is the picture in small, so a vector under a wrong name shows.
    clip = NullClip("null")
    for uri, data in files.items():
        assert held[uri]["sha256"] == hashlib.sha256(data).hexdigest()
        expected = clip.embed_pictures([decode(data, 10**6, clip.model_input, None).clip])[0]
        np.testing.assert_allclose(held[uri]["vector"], expected, atol=1e-5)


def test_after_five_hundred_random_operations_the_collection_equals_the_folder(home: Home, folder: Path) -> None:
    changing = ChangingFolder(folder, seed=2026)
    for _ in range(20):
        changing.create()
    home.json("ingest", str(folder))
    pause = random.Random(1)
    with watching(home, folder) as watch:
        for wave in range(WAVES):
            for _ in range(OPERATIONS // WAVES):
                changing.change()
                time.sleep(pause.choice((0, 0, 0, 0.01, 0.05)))
            watch.wait_for_all(folder / f"zz {wave}.png")
        assert_equals(home, folder)
        # A file that stood still while half of it was written fails, as it should, and is stored once it is whole.
        ends = {(folder / f"zz {wave}.png").as_uri() for wave in range(WAVES)}
        failed = {failure["uri"] for change in watch.told() for failure in change["failures"]}
        assert ends <= failed <= ends | changing.written_in_place
        assert watch.sum("removed") > 0
        assert watch.sum("reused") > 0


def test_a_folder_of_pictures_that_is_renamed_moves_without_a_model_and_leaves_nothing_behind(
    home: Home, folder: Path
) -> None:
    changing = ChangingFolder(folder, seed=3)
    changing.create()  # stays
    (folder / "before" / "deep").mkdir(parents=True)
    for number in range(30):
        changing.create().rename(folder / "before" / ("deep" if number % 2 else "") / f"{number}.png")
    home.json("ingest", str(folder))
    with watching(home, folder) as watch:
        (folder / "before").rename(folder / "after")
        watch.wait_for_all(folder / "zz.png")
        assert (watch.sum("stored"), watch.sum("reused"), watch.sum("removed")) == (30, 30, 30)
        shutil.rmtree(folder / "after")
        watch.wait_for_all(folder / "zzz.png")
        assert watch.sum("removed") == 60


def test_a_restart_catches_up_with_what_happened_while_nobody_watched(home: Home, folder: Path) -> None:
    changing = ChangingFolder(folder, seed=4)
    for _ in range(10):
        changing.create()
    home.json("ingest", str(folder))
    for _ in range(40):
        changing.change()
    with watching(home, folder) as watch:
        wait_until(watch.told)
        watch.wait_for_all(folder / "zz.png")
        assert_equals(home, folder)


def test_polling_sees_the_same_changes(home: Home, folder: Path) -> None:
    changing = ChangingFolder(folder, seed=5)
    for _ in range(5):
        changing.create()
    home.json("ingest", str(folder))
    with watching(home, folder, "--poll") as watch:
        assert watch.told("watching")[0]["polling"] == "asked for"
        for _ in range(60):
            changing.change()
        watch.wait_for_all(folder / "zz.png")
        assert_equals(home, folder)


def test_polling_learns_from_its_folder_of_a_picture_that_came_and_went_between_two_polls(
    home: Home, folder: Path
) -> None:
    inside = folder / "inside"
    inside.mkdir()
    changing = ChangingFolder(folder, seed=7)
    changing.create().rename(inside / "stays.png")
    settings, client = load_settings(), Darkroom()
    with client._stack() as stack, stack.working(), Interrupts() as interrupts:
        batch = ChangeBatch(folder, settings, stack, client.console, interrupts, Pending(settle_seconds=0))
        batch.begin(polling=True)
        for name in ("goes.png", "deep/goes.png"):
            (inside / "deep").mkdir(exist_ok=True)
            changing.create().rename(inside / name)
        assert batch.catch_up()["stored"] == 3
        (inside / "goes.png").unlink()
        shutil.rmtree(inside / "deep")
        # A poll that has seen neither of them finds only that their folder has changed.
        batch.note(bytes(inside), modified=True)
        batch.work(batch._pending.take_rested())
        assert batch.remove_gone() == 2
    assert_equals(home, folder)


def test_a_file_that_is_still_being_written_is_waited_for(home: Home, folder: Path) -> None:
    whole = ChangingFolder(folder, seed=6).create()
    data = whole.read_bytes()
    whole.unlink()
    # It is written for longer than it has to be at rest, and never stands still for nearly as long.
    settle, parts = 4.0, 20
    with watching(home, folder, settle=str(settle)) as watch:
        with (folder / "slow.png").open("wb", buffering=0) as file:
            for part in range(parts):
                file.write(data[part * len(data) // parts : (part + 1) * len(data) // parts])
                time.sleep(1.2 * settle / parts)
        wait_until(watch.told)
        assert (watch.sum("stored"), watch.sum("failed")) == (1, 0)


def test_a_folder_that_goes_away_keeps_its_points_until_it_is_back(home: Home, folder: Path) -> None:
    changing = ChangingFolder(folder, seed=7)
    for _ in range(5):
        changing.create()
    home.json("ingest", str(folder))
    elsewhere = folder.with_name("elsewhere")
    with watching(home, folder) as watch:
        folder.rename(elsewhere)
        wait_until(lambda: watch.told("away"))
        elsewhere.rename(folder)
        wait_until(lambda: len(watch.told("watching")) == 2)
        changing.create()
        watch.wait_for_all(folder / "zz.png")
        assert (watch.sum("stored"), watch.sum("removed")) == (1, 0)


def test_an_empty_folder_where_pictures_were_is_taken_for_a_disk_that_is_not_mounted(home: Home, folder: Path) -> None:
    ChangingFolder(folder, seed=8).create()
    home.json("ingest", str(folder))
    shutil.rmtree(folder)
    folder.mkdir()
    with watching(home, folder) as watch:
        wait_until(watch.told)
        assert "not mounted" in watch.told()[0]["kept"]
        assert watch.sum("removed") == 0
