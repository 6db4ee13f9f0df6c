"""Several workers and producers on one Redis: overlapping jobs, a disk that is not mounted everywhere."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.queues import UNACKED
from tests.e2e.several_machines import Machines, ended, machines_on, pictures
from tests.until import until
from workers.exit_codes import DEVICE_FAILED

pytestmark = pytest.mark.e2e

FILES = 240


@pytest.fixture
def machines(redis_process: str, client: redis.Redis, tmp_path: Path) -> Iterator[Machines]:
    """A cluster without any worker yet."""
    (tmp_path / "machines").mkdir()
    with machines_on(redis_process, tmp_path / "machines") as own:
        yield own


def test_two_producers_and_four_workers_store_every_file_of_overlapping_folders_once(
    machines: Machines, tmp_path: Path
) -> None:
    whole, shared = tmp_path / "pictures", tmp_path / "pictures" / "shared"
    pictures(shared, FILES // 2, seed=1)
    pictures(whole / "own", FILES // 2, seed=2)
    corrupt = random.Random(3).sample(sorted(shared.iterdir()), 5)
    for path in corrupt:
        path.write_bytes(path.read_bytes()[:40])
    machines.storage()
    workers = [f"gpu{number}@test" for number in range(4)]
    for name in workers:
        machines.gpu(name, "--log-json")
    producers = [machines.producer("ingest", str(folder)) for folder in (whole, shared)]
    first, second = (ended(producer) for producer in producers)
    for done, total in ((first, FILES), (second, FILES // 2)):
        # Those that the other job had stored already when this one asked are skipped, and so are those that had failed.
        assert (done["total"], done["failed"] + done["still_broken"]) == (total, 5)
        assert done["stored"] + done["skipped"] == total - done["failed"]
        assert done["exit"] == (1 if done["failed"] else 0)
    assert first["failed"] + second["failed"] >= 5
    named = [json.loads(line) for name in workers for line in machines.log(name).splitlines()]
    told = [line for line in named if line["file"]]
    assert {line["file"] for line in told} == {path.as_uri() for path in corrupt}
    assert {line["job"] for line in told} == {done["job"] for done in (first, second) if done["failed"]}
    assert {line["worker"] for line in told} <= set(workers)
    machines.stop("storage")
    points = machines.points()
    expected = {path.as_uri() for path in whole.rglob("*.png")} - {path.as_uri() for path in corrupt}
    assert sorted(point.payload["uri"] for point in points) == sorted(expected)


def test_a_file_goes_to_the_worker_that_sees_its_disk_and_fails_by_name_when_none_does(
    machines: Machines, tmp_path: Path
) -> None:
    folder, unmounted = tmp_path / "pictures", tmp_path / "mount point"
    pictures(folder, 30, seed=4)
    unmounted.mkdir()
    machines.storage()
    machines.gpu("gpu0@blind", DARKROOM__PATHS__MAP=json.dumps({str(folder): str(unmounted)}))
    machines.gpu("gpu0@seeing")
    done = machines.json("ingest", str(folder))
    assert (done["exit"], done["stored"], done["failed"]) == (0, 30, 0)
    machines.stop("gpu0@seeing")
    pictures(folder / "more", 3, seed=5)
    alone = machines.json("ingest", str(folder))
    assert (alone["exit"], alone["stored"], alone["skipped"], alone["failed"]) == (1, 0, 30, 3)
    rows = machines.json("errors", alone["job"])["errors"]
    reason = f"not reachable from worker gpu0@blind: {unmounted} is an empty folder: is it mounted? (paths.map)"
    assert [row["reason"] for row in rows] == [reason] * 3


@pytest.mark.parametrize("redelivered", [False, True])
def test_a_worker_whose_model_hangs_ends_and_another_one_does_its_files(
    machines: Machines, tmp_path: Path, redelivered: bool
) -> None:
    pictures(tmp_path / "pictures", FILES, seed=7)
    machines.storage()
    soon = {"DARKROOM__BROKER__VISIBILITY_TIMEOUT": "6"}
    hangs = {"DARKROOM__MODELS__CLIP": "null:100000000", "DARKROOM__GPU__HANG_SECONDS": "1", **soon}
    machines.gpu("gpu0@hanging", **hangs)
    producer = machines.producer("ingest", str(tmp_path / "pictures"))
    until(lambda: machines.client.hlen(UNACKED) > 10, "the worker that hangs to hold files")
    if redelivered:
        # Its files come again as those of a worker that died, and the next one tries them one by one.
        machines.kill("gpu0@hanging")
        machines.gpu("gpu0@hanging", **hangs)
    assert machines.wait("gpu0@hanging") == DEVICE_FAILED
    said = machines.log("gpu0@hanging").splitlines()[-1]
    assert said.startswith("error: The device hangs: null has not computed ")
    machines.gpu("gpu0@sound", **soon)
    done = ended(producer)
    assert (done["exit"], done["stored"], done["failed"]) == (0, FILES, 0)
    machines.stop("storage")
    assert len(machines.points()) == FILES
