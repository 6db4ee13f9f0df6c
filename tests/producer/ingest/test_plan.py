"""Which files need work, asked of a real storage worker with the embedded Qdrant."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import redis

import producer.ingest.plan
from producer.ingest.plan import Planned, plan
from producer.ingest.sources.scan import FileRef
from settings import Settings, load_settings
from settings.errors import WrongUse
from tasks.app import app
from tasks.broken_files import BrokenFile, BrokenFiles
from tasks.broker import redis_client
from tasks.checkpoint import IN_INT8, PAYLOAD_SCHEMA, PREPROCESSING, checkpoint_name, target_of
from tasks.ledger import Ledger
from tasks.messages import PointsMessage, Target
from tasks.outcomes import Failure
from tasks.queues import COLLECTION, STORE_POINTS
from tasks.rpc import Question, ask
from tests.conftest import ROOT
from tests.until import until

pytestmark = pytest.mark.e2e

DIM = 8
SECONDS = 60.0
KEPT = [FileRef(f"file:///p/{number}.png", 100 + number, 10**18 + number) for number in range(10)]
WITH_SIDECAR = FileRef("file:///p/noted.png", 100, 10**18, (300, 10**18 + 5))
# What an earlier release stored, which read fewer facts.
OLDER = [FileRef("file:///p/older.png", 100, 10**18)]


@dataclass
class Storage:
    """A storage worker, and the settings by which it works."""

    settings: Settings
    process: "subprocess.Popen[bytes]"


@pytest.fixture(scope="module")
def storage(redis_process: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    """A storage worker that holds KEPT; its collection was empty when it started."""
    folder = tmp_path_factory.mktemp("plan")
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("wb") as log:
        patch.setenv("DARKROOM__DATA__DIR", str(folder / "data"))
        command = [sys.executable, "-m", "workers", "storage", "--one"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    client = redis.Redis.from_url(redis_process)
    client.flushall()
    settings = load_settings()
    assert ask(COLLECTION, SECONDS)["points"] == 0
    assert unchanged(KEPT, settings) == []
    stored = [*KEPT, WITH_SIDECAR, *OLDER]
    store(stored, settings)
    until(lambda: Ledger(client, "job").counts().stored == len(stored), "the points to be stored")
    yield Storage(settings, process)
    process.terminate()
    process.wait()
    client.close()


def store(files: list[FileRef], settings: Settings) -> None:
    vectors = np.eye(len(files), DIM, dtype="<f4") + np.float32(0.01)
    payloads: list[dict[str, Any]] = [
        {
            "uri": file.uri,
            "root": "file:///p",
            "bytes": file.bytes,
            "mtime": file.mtime,
            "sha256": f"{number:064x}",
            "clip_model": checkpoint_name(settings.models.clip),
            "blip_model": checkpoint_name(settings.models.blip),
            "preprocessing": IN_INT8 if file == KEPT[3] else PREPROCESSING,
            "schema": PAYLOAD_SCHEMA - (file in OLDER),
            **({"sidecar": list(file.sidecar)} if file.sidecar else {}),
        }
        for number, file in enumerate(files)
    ]
    clip_model = checkpoint_name(settings.models.clip)
    numbers = list(range(len(files)))
    message = PointsMessage(
        Target("pictures", clip_model), "job", DIM, numbers, vectors.tobytes(), payloads, [False] * len(files)
    )
    app.send_task(STORE_POINTS, kwargs=message.to_wire())


def answer(question: Question) -> bytes:
    found: bytes = question.wait(SECONDS)
    return found


def planned(files: list[FileRef], settings: Settings) -> list[Planned]:
    return list(plan(files, target_of(settings), answer))


def unchanged(files: list[FileRef], settings: Settings) -> list[int]:
    return [number for stretch in planned(files, settings) for number in stretch.unchanged]


def with_models(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update={"models": settings.models.model_copy(update=changes)})


def test_what_is_stored_and_unchanged_needs_no_work_in_whichever_precision_it_was_embedded(storage: Storage) -> None:
    (stretch,) = planned(KEPT, storage.settings)
    assert stretch == Planned(work=[], unchanged=list(range(10)))


def test_a_new_a_grown_and_a_touched_file_need_work_and_keep_their_numbers(storage: Storage) -> None:
    files = [
        KEPT[0],
        replace(KEPT[1], bytes=KEPT[1].bytes + 1),
        replace(KEPT[2], mtime=KEPT[2].mtime + 1),
        replace(KEPT[3], uri="file:///p/new.png"),
        KEPT[4],
    ]
    (stretch,) = planned(files, storage.settings)
    assert [(entry.number, entry.file) for entry in stretch.work] == list(enumerate(files))[1:4]
    assert stretch.unchanged == [0, 4]


def test_a_sidecar_that_is_new_changed_or_gone_means_work(storage: Storage) -> None:
    files = [
        WITH_SIDECAR,
        replace(WITH_SIDECAR, sidecar=(301, 10**18 + 5)),
        replace(WITH_SIDECAR, sidecar=(300, 10**18 + 6)),
        replace(WITH_SIDECAR, sidecar=None),
        replace(KEPT[0], sidecar=(300, 10**18)),
    ]
    assert unchanged(files, storage.settings) == [0]


def test_what_an_earlier_release_stored_is_read_again(storage: Storage) -> None:
    assert unchanged(OLDER, storage.settings) == []


def test_another_caption_model_means_work_and_no_captions_asks_for_none(storage: Storage) -> None:
    assert unchanged(KEPT, with_models(storage.settings, blip="somebody/another-blip")) == []
    off = with_models(storage.settings, blip="somebody/another-blip", captions=False)
    assert unchanged(KEPT, off) == list(range(10))


def test_another_clip_model_is_refused_by_name(storage: Storage) -> None:
    with pytest.raises(WrongUse, match="somebody/another-clip"):
        planned(KEPT, with_models(storage.settings, clip="somebody/another-clip"))


def test_a_file_that_failed_and_has_not_changed_needs_no_work_and_keeps_its_reason(storage: Storage) -> None:
    broken = BrokenFiles(redis_client(storage.settings))
    bad, changed = FileRef("file:///p/bad.png", 7, 8), FileRef("file:///p/changed.png", 9, 10)
    broken.keep([BrokenFile(file.uri, file.bytes, file.mtime, "decode", "it is cut off") for file in (bad, changed)])
    files = [KEPT[0], bad, replace(changed, bytes=11), replace(KEPT[1], mtime=0)]
    (stretch,) = plan(files, target_of(storage.settings), answer, broken=broken.unchanged)
    assert stretch.unchanged == [0]
    assert stretch.still_broken == [Failure(1, bad.uri, "decode", "it is cut off")]
    assert [entry.number for entry in stretch.work] == [2, 3]


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7])
def test_the_numbers_run_on_over_any_number_of_chunks(
    storage: Storage, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.ingest.plan, "CHUNK", 3)
    files = [KEPT[number] if number % 2 else replace(KEPT[number], mtime=0) for number in range(count)]
    stretches = planned(files, storage.settings)
    assert len(stretches) == -(-count // 3)
    numbers = [entry.number for stretch in stretches for entry in stretch.work]
    assert numbers == list(range(0, count, 2))
    assert [number for stretch in stretches for number in stretch.unchanged] == list(range(1, count, 2))


def test_the_next_chunk_is_asked_about_before_the_answer_to_the_last_one_is_used(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(producer.ingest.plan, "CHUNK", 2)
    taken: list[str] = []

    def walk() -> Iterator[FileRef]:
        for file in KEPT:
            taken.append(file.uri)
            yield file

    stretches = plan(walk(), target_of(storage.settings), answer)
    assert taken == []
    next(stretches)
    assert len(taken) == 4
    assert sum(len(stretch.unchanged) for stretch in stretches) == 8
