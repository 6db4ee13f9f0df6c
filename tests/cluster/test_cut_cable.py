"""Three hosts on one machine: a worker that is cut off is done without, and takes part again later."""

from pathlib import Path

import pytest

from tests.cluster.network import why_not
from tests.cluster.scenario import run

pytestmark = pytest.mark.e2e
FILES = 150


def test_a_job_goes_on_without_a_worker_that_is_cut_off_and_with_it_once_it_is_back(tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    result = run(tmp_path, FILES, cut_seconds=0)
    assert result.stored == FILES
    assert result.cut > 0
    assert result.healed == FILES // 10
