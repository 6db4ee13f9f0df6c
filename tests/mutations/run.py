"""Ingests of mutated files by the real command and a real worker with the null model, and counts of what happened."""

import json
import re
import shutil
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes.ingest import resident_peak
from tasks.stack.locks import is_held, read_note
from tests.chaos.rounds import local_of
from tests.e2e.conftest import Home
from tests.mutations.mutate import mutated
from workers.exit_codes import LOAD_TIMEOUT

# What a worker may take at most for these files, whose pixels are limited to the number below.
MOST_MB = 600
MAX_PIXELS = 8_000_000
LOAD_SECONDS = 20
ENVIRONMENT = {
    "DARKROOM__MODELS__CLIP": "null",
    "DARKROOM__MODELS__CAPTIONS": "false",
    "DARKROOM__INGEST__MAX_PIXELS": str(MAX_PIXELS),
    "DARKROOM__INGEST__LOAD_SECONDS": str(LOAD_SECONDS),
}
# Fewer than the failures of a job that are kept with their names.
FILES_A_JOB = 2_500


@dataclass
class Tally:
    """What became of all inputs; `reasons` counts the failures by their sentence."""

    inputs: int = 0
    stored: int = 0
    failed: int = 0
    crashes: int = 0
    hangs: int = 0
    peak_rss_mb: int = 0
    without_reason: int = 0
    reasons: dict[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when every input was stored or failed for a reason, and no worker died, hung or grew too large."""
        told = self.stored + self.failed == self.inputs and not self.without_reason
        return told and not (self.crashes or self.hangs) and 0 < self.peak_rss_mb <= MOST_MB

    def line(self) -> str:
        """The counts as one line of JSON."""
        return json.dumps({name: value for name, value in vars(self).items() if name != "reasons"})


def run(count: int, seed: int, scratch: Path) -> Tally:
    """Make and ingest so many mutated files, some thousands a job."""
    tally = Tally()
    for first in range(0, count, FILES_A_JOB):
        folder, home = scratch / f"inputs-{first}", Home(scratch / f"home-{first}", ENVIRONMENT)
        folder.mkdir(parents=True)
        for number in range(first, min(first + FILES_A_JOB, count)):
            name, data = mutated(seed, number)
            (folder / name).write_bytes(data)
            tally.inputs += 1
        _ingest(home, folder, tally)
        shutil.rmtree(folder)
    return tally


def _ingest(home: Home, folder: Path, tally: Tally) -> None:
    producer = home.start("ingest", str(folder), "--json")
    peak = _peak_while_it_runs(home, producer)
    out, err = producer.communicate()
    assert out.strip(), err
    told = json.loads(out)
    tally.stored += told["stored"]
    tally.failed += told["failed"]
    tally.peak_rss_mb = max(tally.peak_rss_mb, peak // 1_000_000)
    reasons = [row["reason"] for row in home.json("errors", told["job"])["errors"]] if told["failed"] else []
    tally.without_reason += told["failed"] - sum(bool(reason.strip()) for reason in reasons)
    for reason in reasons:
        general = re.sub(r"[\d,]*\d", "N", reason)
        tally.reasons[general] = tally.reasons.get(general, 0) + 1
    ends = re.findall(r"gpu0 (?:was killed by (\w+)|ended with exit code (\d+))", home.log("stack"))
    hangs = sum(code == str(LOAD_TIMEOUT) for _, code in ends)
    tally.hangs += hangs
    tally.crashes += len(ends) - hangs


def _peak_while_it_runs(home: Home, producer: "subprocess.Popen[str]") -> int:
    """The most memory that a worker had, in bytes."""
    note, peak = local_of(home).pids / "gpu0.pid", 0
    while producer.poll() is None:
        pid = read_note(note)
        if pid.isdigit() and is_held(note):
            with suppress(OSError, ValueError):  # it may just have ended
                peak = max(peak, resident_peak(int(pid)))
        time.sleep(0.02)
    return peak
