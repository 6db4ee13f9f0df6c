"""Mutated pictures through a real worker: each is stored or fails for a reason, and no worker dies of one."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mutations.mutate import MUTATIONS, mutated, seeds
from tests.mutations.run import run


@pytest.mark.e2e
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of a process from /proc")
def test_every_mutated_picture_is_stored_or_fails_for_a_reason(tmp_path: Path) -> None:
    tally = run(300, 7, tmp_path)
    assert tally.good, (tally.line(), tally.reasons)
    assert tally.inputs == 300
    assert tally.stored > 50
    assert tally.failed > 50


def test_the_same_numbers_make_the_same_inputs_and_others_make_others() -> None:
    assert mutated(1, 5) == mutated(1, 5)
    made = {mutated(seed, number)[1] for seed in range(3) for number in range(50)}
    assert len(made) > 140


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_every_mutation_changes_something(mutation: Callable[[random.Random, bytes], bytes]) -> None:
    _, data = seeds()["jpeg"]
    assert any(mutation(random.Random(seed), data) != data for seed in range(5))
