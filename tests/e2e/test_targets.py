"""Messages say what they are for: two collections on one Redis, other models, another release, names for folders."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tasks.ledger import jobs
from tests.conftest import ROOT
from tests.e2e.several_machines import Machines, ended, machines_on, pictures
from tests.until import until

pytestmark = pytest.mark.e2e

CATS = {"DARKROOM__QDRANT__COLLECTION": "cats"}
SAME = "set qdrant.collection here to the same name, or start `python -m workers storage` with these settings."


@pytest.fixture
def machines(client: redis.Redis, redis_process: str, tmp_path: Path) -> Iterator[Machines]:
    with machines_on(redis_process, tmp_path) as cluster:
        yield cluster


def sentence(producer: "subprocess.Popen[str]", code: int) -> str:
    out, err = producer.communicate(timeout=120)
    assert (producer.returncode, out) == (code, ""), out + err
    return err.strip()


def test_two_collections_on_one_redis_keep_to_themselves(machines: Machines, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 40, seed=1)
    pictures(tmp_path / "cats", 30, seed=2)
    machines.storage()
    machines.gpu("gpu0@photos")
    machines.storage("storage@cats", **CATS)
    machines.gpu("gpu0@cats", **CATS)
    both = [
        machines.producer("ingest", str(tmp_path / "photos")),
        machines.producer("ingest", str(tmp_path / "cats"), **CATS),
    ]
    assert [(done["exit"], done["stored"], done["failed"]) for done in map(ended, both)] == [(0, 40, 0), (0, 30, 0)]
    found = {name: machines.json("status", **env) for name, env in (("pictures", {}), ("cats", CATS))}
    assert {name: status["collection"]["points"] for name, status in found.items()} == {"pictures": 40, "cats": 30}
    assert [worker["name"] for worker in found["cats"]["workers"]] == ["gpu0@cats", "storage@cats"]
    assert found["cats"]["workers"][0] == {
        "name": "gpu0@cats",
        "collection": "cats",
        "clip_model": "null",
        "blip_model": None,
        "captions": False,
        "device": None,
    }
    assert len(machines.json("search", "a square", "-n", "99", **CATS)["results"]) == 30
    # A job of the other collection is not gone on with in this one.
    job = next(job["job"] for job in found["cats"]["jobs"] if job["root"].endswith("/photos"))
    for command in ("retry", "report"):
        refused = sentence(machines.producer(command, job, **CATS), 2)
        assert refused == (
            f"error: The job {job} belongs to the collection 'pictures', not to 'cats': set qdrant.collection to that "
            "name."
        )


def test_a_collection_that_no_worker_keeps_is_refused_by_name_and_nothing_is_enqueued(
    machines: Machines, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 3, seed=3)
    machines.storage("storage@a")
    machines.gpu("gpu0@a")
    refused = (
        "error: No storage worker of this release keeps the collection 'cats' (storage@a keeps the collection "
        f"'pictures'): {SAME}"
    )
    folder = str(tmp_path / "photos")
    commands = (("ingest", folder), ("stats",), ("search", "a cat"), ("prune", folder), ("export", "/tmp/a.csv"))
    # Side by side, for each waits some seconds for one that may just be starting.
    asked = [machines.producer(*command, **CATS) for command in commands]
    assert [sentence(each, 2) for each in asked] == len(commands) * [refused]
    assert jobs(machines.client) == []
    assert machines.client.keys("darkroom.v*.cats*") == []


def test_an_ingest_for_other_models_than_the_workers_have_is_refused_before_it_begins(
    machines: Machines, tmp_path: Path
) -> None:
    pictures(tmp_path / "photos", 3, seed=4)
    machines.storage("storage@a")
    machines.gpu("gpu0@a")
    other = {"DARKROOM__MODELS__CLIP": "somebody/clip", "DARKROOM__MODELS__CAPTIONS": "false"}
    assert sentence(machines.producer("ingest", str(tmp_path / "photos"), **other), 2) == (
        "error: gpu0@a has the CLIP model null, and this is for somebody/clip: set models.clip to the same checkpoint "
        "for both, and start the workers anew if theirs changes."
    )
    captions = {"DARKROOM__MODELS__CAPTIONS": "true", "DARKROOM__MODELS__BLIP": "somebody/blip"}
    assert sentence(machines.producer("ingest", str(tmp_path / "photos"), **captions), 2) == (
        "error: gpu0@a writes no captions, and this is for captions by somebody/blip: set models.captions to the same "
        "value for both, and start the workers anew if theirs changes."
    )
    assert jobs(machines.client) == []
    # A search is for the model of the collection, whatever this command would ingest by.
    assert ended(machines.producer("ingest", str(tmp_path / "photos")))["stored"] == 3
    assert len(machines.json("search", "a square", **other)["results"]) == 3


def test_messages_of_another_release_wait_for_its_workers_and_are_told_of(machines: Machines, tmp_path: Path) -> None:
    pictures(tmp_path / "photos", 5, seed=5)
    machines.storage("storage@new", module="tests.e2e.other_release")
    producer = machines.producer("ingest", str(tmp_path / "photos"), module="tests.e2e.other_release_producer")
    until(lambda: machines.client.keys("darkroom.v*.pictures.files"), "the files to be enqueued")
    (queue,) = (str(key, "ascii") for key in machines.client.scan_iter("darkroom.v*.pictures.files"))
    until(lambda: machines.client.llen(queue) == 5, "all files to be enqueued")
    # An embedded collection has one owner, whatever its release.
    machines.stop("storage@new")
    machines.storage("storage@own")
    machines.gpu("gpu0@own")
    told = (
        f"5 messages of another release wait in {queue}: start its workers to work them off, or leave them and ingest"
    )
    status = machines.json("status")
    assert status["other_releases"] == {queue: 5}
    assert status["queues"]["files"] == 0
    check = subprocess.run(
        [sys.executable, "-m", "workers", "check"],
        cwd=ROOT,
        env=machines.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert told in check.stdout
    for name in ("storage@own", "gpu0@own"):
        assert "release" not in machines.log(name)
    assert machines.client.llen(queue) == 5
    machines.stop("storage@own")
    machines.storage("storage@new", module="tests.e2e.other_release")
    machines.gpu("gpu0@new", module="tests.e2e.other_release")
    done = ended(producer)
    assert (done["exit"], done["stored"], done["failed"]) == (0, 5, 0)


WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "transformers", "PIL", "qdrant_edge", "qdrant_client", "numpy"}:
            raise ModuleNotFoundError(f"this machine has no {name}", name=name)
sys.meta_path.insert(0, Refuse())
from producer.__main__ import main
main()
"""


def test_a_machine_that_only_asks_needs_neither_the_models_nor_their_packages(
    machines: Machines, tmp_path: Path, clip_folder: Path
) -> None:
    pictures(tmp_path / "photos", 4, seed=6)
    machines.storage("storage@a")
    machines.gpu("gpu0@a", DARKROOM__MODELS__CLIP=str(clip_folder))
    # As in a container that lacks the folder of the models.
    elsewhere = {"DARKROOM__MODELS__CLIP": f"/nowhere/{clip_folder.name}"}
    done = machines.json("ingest", str(tmp_path / "photos"), **elsewhere)
    assert (done["exit"], done["stored"]) == (0, 4)
    for command in (("status",), ("jobs",), ("errors", done["job"])):
        env = machines.env(
            DARKROOM__QDRANT__URL="http://127.0.0.1:9", DARKROOM__DATA__DIR=str(tmp_path / "producer"), **elsewhere
        )
        asked = subprocess.run(
            [sys.executable, "-c", WITHOUT, *command, "--json"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        assert json.loads(asked.stdout)
    unknown = {"DARKROOM__MODELS__CLIP": "/nowhere/another-clip"}
    assert sentence(machines.producer("ingest", str(tmp_path / "photos"), **unknown), 2) == (
        "error: The folder /nowhere/another-clip is not on this machine, and no worker that lives has a checkpoint of "
        "that name: set models.clip to the name of a checkpoint as `python -m producer status` shows it, or start the "
        "GPU workers."
    )
