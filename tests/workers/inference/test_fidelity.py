"""Decoding less changes no embedding that matters, at real model size."""

import pytest

from benchmarks.fidelity import MEDIAN, WORST, Cosines, cosines


@pytest.fixture(scope="module")
def found() -> Cosines:
    """Forty pictures embedded our way and by the reference preprocessing; the benchmark takes more of them."""
    return cosines(40)


def test_our_embeddings_are_those_of_the_reference(found: Cosines) -> None:
    assert float(found.own.median()) >= MEDIAN
    assert float(found.own.min()) >= WORST


def test_the_measure_tells_pictures_apart(found: Cosines) -> None:
    assert abs(float(found.others.median())) < 0.2
    # Cuts of one scenery may be nearly the same picture; hardly any two others come as close as ours has to.
    assert float((found.others > MEDIAN).float().mean()) < 0.01
