"""A job in a shared world, in short: each scene with few files and a fault that lasts no longer than it must."""

from pathlib import Path

import pytest

from tests.cluster.cut_cable import cut_cable
from tests.cluster.network import why_not
from tests.cluster.scenes import SCENES, play

pytestmark = pytest.mark.e2e
FILES = 100
# Longer than a lease of the scenes, so that what is not renewed is handed out again.
SECONDS = 6


@pytest.mark.parametrize("scene", SCENES)
def test_every_file_is_stored_once_and_as_itself(scene: str, tmp_path: Path) -> None:
    verdict = play(scene, tmp_path / scene, FILES, SECONDS)
    assert verdict.good, verdict


def test_a_job_goes_on_without_a_worker_that_is_cut_off_and_with_it_once_it_is_back(tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    verdict = cut_cable(tmp_path, FILES, cut_seconds=0)
    assert verdict.good, verdict
