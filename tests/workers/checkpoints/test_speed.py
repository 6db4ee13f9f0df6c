"""What is kept of the speed of the models: of what was computed after the first batch, for each checkpoint."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import redis

from pictures.picture import Pixels
from tasks.registry import renew_worker
from tasks.reports import speeds
from tests.until import until
from workers.checkpoints import speed as module
from workers.checkpoints.speed import Speed, read_speed, tell_speed, write_speed

PICTURES = [np.zeros((2, 2, 3), np.uint8)] * 4


def test_the_first_batch_of_a_model_does_not_count() -> None:
    speed = Speed()
    assert speed.timed("clip", list, PICTURES) == PICTURES
    assert speed.seconds_per_picture() == {}
    speed.timed("clip", list, PICTURES)
    assert list(speed.seconds_per_picture()) == ["clip"]


def test_seconds_are_those_of_a_picture_and_the_latest_count_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, 0.0, 8.0, 8.0, 10.0])
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: next(clock)))
    speed = Speed()
    for _ in range(2):
        speed.timed("clip", list, PICTURES)
    assert speed.seconds_per_picture() == {"clip": 2.0}
    speed.timed("clip", list, PICTURES)
    assert 0.5 < speed.seconds_per_picture()["clip"] < 1.25


def test_of_two_batches_that_are_under_way_at_once_the_time_counts_once(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    speed = Speed()

    def ends_at(moment: float) -> Callable[[Sequence[Pixels]], Sequence[Pixels]]:
        def compute(pictures: Sequence[Pixels]) -> Sequence[Pixels]:
            clock.now = moment
            return pictures

        return compute

    def begun_at(moment: float, end: float) -> None:
        clock.now = moment
        speed.timed("clip", ends_at(end), PICTURES)

    begun_at(0, 1)
    begun_at(1, 5)  # 4 s
    begun_at(3, 9)  # begun while the one before was computed: 4 s
    assert speed.seconds_per_picture()["clip"] == pytest.approx(1.0)


def test_a_file_keeps_what_other_checkpoints_have_measured(tmp_path: Path) -> None:
    file = tmp_path / "speeds" / "gpu0.json"
    assert read_speed(file) == {}
    write_speed(file, {"clip": 0.5, "blip": 2.0})
    write_speed(file, {"clip": 0.25})
    assert read_speed(file) == {"clip": 0.25, "blip": 2.0}
    for other in ("[1]", '{"clip": null}', '{"clip": [1]}'):
        file.write_text(other)
        assert read_speed(file) == {}


def test_a_worker_tells_its_speed_to_redis_and_to_its_file(
    client: redis.Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TELL_SECONDS", 0.01)
    speed = Speed()
    for _ in range(2):
        speed.timed("clip", list, PICTURES)
    renew_worker(client, "gpu0")
    tell_speed(speed, client, "gpu0", tmp_path / "gpu0.json")
    until(lambda: "gpu0" in speeds(client) and bool(read_speed(tmp_path / "gpu0.json")), "the speed to be told")
    assert speeds(client)["gpu0"] == read_speed(tmp_path / "gpu0.json") == speed.seconds_per_picture()
