"""Disks that are full or read-only, and files that go or change between the scan and the reading."""

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from tasks.queues import FILES
from tests.e2e.conftest import Home
from tests.e2e.ingests import WITHOUT_MODELS, Gate, Inside, draw_pictures, end_of, wait_for_words
from tests.e2e.mounts import make_read_only, small_disk
from tests.until import until

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

MIB = 2**20


def test_a_disk_that_fills_up_holds_the_job_which_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures", 100, seed=81)
    with small_disk(tmp_path / "disk", mebibytes=420) as disk:
        home = Home(disk / "data", dict(WITHOUT_MODELS))
        inside, gate = Inside(home), Gate(home)
        gate.shut()
        running = home.start("ingest", str(pictures), "--json", module="tests.e2e.impatient")
        until(inside.stored, "the first file to be stored")
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(150 * MIB))
        gate.open()
        said = wait_for_words(running, "free some space")
        assert f"storage: The disk of {home.data}/catalog/pictures has " in said
        stored = inside.stored()
        assert stored < 100
        ballast.unlink()
        ended = end_of(running, said)
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["stored"] == 100
        until(lambda: not inside.local.stack_lock.exists(), "the stack to end")
        assert len(home.points()) == 100


def test_a_data_directory_on_a_read_only_disk_is_one_sentence(tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures", 1, seed=82)
    with small_disk(tmp_path / "disk", mebibytes=1) as disk:
        make_read_only(disk)
        done = Home(disk / "data").run("ingest", str(pictures))
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        f"error: The data directory {disk}/data cannot be written (Read-only file system): "
        "make it writable or set data.dir to another folder.\n"
    )


def test_a_file_that_is_gone_and_one_that_changes_while_it_is_read_fail_alone_by_name(
    tmp_path: Path, home: Home
) -> None:
    pictures = draw_pictures(tmp_path / "pictures", 10, seed=83)
    # So large that its reading lasts longer than the time between two changes.
    growing = pictures / "growing.png"
    with growing.open("wb") as file:
        file.truncate(200 * MIB)
    home.settings.update(WITHOUT_MODELS)
    inside = Inside(home)
    running = home.start("ingest", str(pictures), "--json")
    # It starts when files wait for it, and takes the first of them seconds later.
    worker = inside.signal("gpu0", signal.SIGSTOP)
    try:
        until(lambda: inside.queued(FILES) == 11, "all files to be enqueued")
        (pictures / "0003.png").unlink()
    finally:
        os.kill(worker, signal.SIGCONT)
    at_rest = threading.Event()
    change = threading.Thread(target=_change_until, args=(growing, at_rest))
    change.start()
    try:
        ended = end_of(running)
    finally:
        at_rest.set()
        change.join()
    assert ended.returncode == 1, ended.stderr
    done = json.loads(ended.stdout)
    assert (done["total"], done["stored"], done["failed"]) == (11, 9, 2)
    reasons = {row["uri"].rsplit("/", 1)[-1]: row["reason"] for row in home.json("errors", done["job"])["errors"]}
    assert reasons == {
        "0003.png": "the file is gone",
        "growing.png": "the file changed while it was read; ingest it again when it is at rest",
    }


def _change_until(file: Path, at_rest: threading.Event) -> None:
    while not at_rest.wait(0.001):
        os.utime(file)
