"""What the benchmarks say about memory."""

import subprocess
import sys

from tests.conftest import ROOT


def test_the_peak_of_a_program_is_its_own_and_not_that_of_who_started_it() -> None:
    ballast = b"x" * 400_000_000
    told = subprocess.run(
        [sys.executable, "-c", "from benchmarks.processes.ingest import resident_peak; print(resident_peak())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert 10_000_000 < int(told.stdout) < len(ballast)
