"""The power is cut, which a SIGKILL is not: the kernel forgets what was not synced. `make proof` cuts it more often."""

import pytest

from tests.proof.power import cut_catalog, cut_redis
from tests.proof.power_child import BATCH
from tests.proof.synced import MEMORY, STRACE

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(STRACE is None or not MEMORY.is_dir(), reason="strace tells what is synced, in /dev/shm"),
]


def test_a_new_catalog_keeps_every_acknowledged_point_when_the_power_is_cut() -> None:
    cuts = cut_catalog(1, seed=3)
    assert cuts.wrong == []
    assert (cuts.cuts, cuts.points, cuts.lost) == (2, 2 * BATCH, 0)


def test_redis_keeps_all_but_its_last_second_in_order_when_the_power_is_cut() -> None:
    cuts = cut_redis(2, seed=4)
    assert cuts.wrong == []
    assert cuts.points > 0
