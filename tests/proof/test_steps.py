"""A process killed at one step, and two in one job: a few of the steps that `make proof` takes one after another."""

import shutil
from pathlib import Path

import pytest

from tests.chaos.pictures import Album, draw_album
from tests.proof.steps import FILES, NULL_MODEL, Step, take

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    """Five pictures, as the null model sees them."""
    return draw_album(tmp_path_factory.mktemp("proof") / "pictures", FILES, model=NULL_MODEL)


def test_redis_loses_its_last_second_and_then_the_gpu_worker_dies_and_all_is_healed(
    album: Album, tmp_path: Path
) -> None:
    # In the order in which a job comes to them.
    steps = [Step("storage", 20, moment="after", kills="redis and its last second"), Step("gpu0", 40)]
    taken = take(steps, album, tmp_path)
    assert taken.verdict.good, taken.verdict
    assert taken.verdict.stored == FILES
    assert taken.hit
    assert set(taken.recoveries) <= {"lease_ran_out", "redelivered", "isolated", "published_again", "handed_back"}


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace kills at a write")
def test_redis_dies_in_place_of_a_write_and_is_started_again(album: Album, tmp_path: Path) -> None:
    taken = take([Step("redis", 9, "write")], album, tmp_path)
    assert taken.verdict.good, taken.verdict
    assert taken.hit == ["write"]


def test_redis_dies_as_the_first_command_begins_to_use_the_stack_and_is_waited_for(
    album: Album, tmp_path: Path
) -> None:
    # The stack is up, and the fourth command is the first one to the new Redis that must not be lost.
    taken = take([Step("producer", 4, kills="redis")], album, tmp_path)
    assert taken.hit == ["DEL"]
    assert taken.verdict.good, taken.verdict
