"""Files with the same content in one run: a model sees the first of them, and the others get what it made."""

import shutil
from concurrent.futures import Future
from pathlib import Path

import numpy as np

from tasks.messages import FileItem
from tests.workers.gpu.bench import OpenBench, files_of
from workers.recent import Recent


def copied(folder: Path, below: Path, copies: int) -> list[FileItem]:
    """One picture under several names."""
    first = sorted(folder.iterdir())[0]
    return [
        FileItem(number, Path(shutil.copy(first, below / f"copy{number}{first.suffix}")).as_uri())
        for number in range(copies)
    ]


def test_copies_in_one_run_are_computed_once_and_all_but_one_are_reused(
    open_bench: OpenBench, folder: Path, tmp_path: Path
) -> None:
    bench = open_bench(captions=True)
    bench.process_each(copied(folder, tmp_path, 12))
    assert bench.pipeline.clip_batcher.items == 1
    assert bench.pipeline.blip_batcher is not None
    assert bench.pipeline.blip_batcher.items == 1
    rows = bench.rows
    assert sorted(rows) == list(range(12))
    assert sorted(reused for _, _, reused in rows.values()) == [False] + 11 * [True]
    first, payload, _ = rows[0]
    for vector, other, _ in rows.values():
        assert np.array_equal(vector, first)
        assert (other["caption"], other["sha256"]) == (payload["caption"], payload["sha256"])
    assert {other["name"] for _, other, _ in rows.values()} == {f"copy{number}.png" for number in range(12)}


def test_other_pictures_are_not_taken_for_copies(open_bench: OpenBench, folder: Path) -> None:
    bench = open_bench()
    bench.process_each(files_of(folder, 5))
    assert bench.pipeline.clip_batcher.items == 5


def test_a_result_that_failed_or_was_cancelled_is_computed_anew_and_old_ones_are_forgotten() -> None:
    recent: Recent[int] = Recent(kept=2)
    made: list[Future[int]] = []

    def submit() -> Future[int]:
        made.append(Future())
        return made[-1]

    assert recent.get("a", submit) == (made[0], True)
    assert recent.get("a", submit) == (made[0], False)
    made[0].set_exception(RuntimeError("no memory"))
    assert recent.get("a", submit) == (made[1], True)
    made[1].cancel()
    assert recent.get("a", submit) == (made[2], True)
    made[2].set_result(1)
    assert recent.get("a", submit) == (made[2], False)
    for content in "bc":
        recent.get(content, submit)
    assert recent.get("a", submit) == (made[5], True)
