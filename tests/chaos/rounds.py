"""One round: an ingest by the real command, one kill in the middle, and the count of what is where afterwards."""

import json
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from settings import load_settings
from tasks.stack.locks import is_held
from tasks.stack.paths import StackPaths, stack_paths
from tests.chaos.kill import Kill, carry_out, end_all
from tests.chaos.pictures import Album
from tests.e2e.conftest import Home
from workers.storage.catalog import Point
from workers.storage.embedded.catalog import EdgeCatalog

# Seconds. Far beyond what a round takes: only a hang lasts so long.
LIMIT = 300.0
RECORD_LOST = "error: Redis has lost its data, and with it the record of this job."
# A kill must fall among the files and not beside them, so the window is small and the batches are, too. The files of a
# killed worker wait for the end of its leases, a minute by default: 6 s keep rounds short, and test the renewal harder.
ENVIRONMENT = {
    "DARKROOM__BROKER__VISIBILITY_TIMEOUT": "6",
    "DARKROOM__INGEST__WINDOW": "32",
    "DARKROOM__GPU__BATCH_CLIP": "8",
    "DARKROOM__GPU__DTYPE": "float32",
    "DARKROOM__GPU__TORCH_THREADS": "1",
}


@dataclass
class Verdict:
    """What became of every file; all lists and `wrong` are empty when all is well."""

    kill: Kill | None
    killed: bool = False
    seconds: float = 0.0
    stored: int = 0
    runs: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    misfiled: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """True when nothing is lost, doubled or misfiled and the last command told the truth."""
        return not (self.lost or self.doubled or self.misfiled or self.wrong)


def local_of(home: Home) -> StackPaths:
    """Where the stack of a home lives."""
    own = load_settings()
    return stack_paths(own.model_copy(update={"data": own.data.model_copy(update={"dir": home.data})}))


def play(home: Home, album: Album, kill: Kill | None, may_lose: bool = False) -> Verdict:
    """Ingest the album into a fresh home, kill once, ingest again only where the killed one was the command itself.

    Where Redis `may_lose` its last second, the record of a job so young is lost too: then the command ends with the
    sentence that says so and the command to go on with, and that is done.
    """
    begin = time.monotonic()
    verdict = Verdict(kill)
    local = local_of(home)
    files = len(list(album.folder.iterdir()))
    producer = _start(home, album)
    verdict.runs = 1
    if kill is not None:
        verdict.killed = carry_out(kill, local, files, producer)
    out, ended = _finish(producer, local, verdict)
    lost = may_lose and any(said.startswith(RECORD_LOST) for said in verdict.said)
    if ended < 0 or (ended == 3 and lost):  # the command itself was killed, or says to run it again
        verdict.runs = 2
        out, ended = _finish(_start(home, album), local, verdict)
    _judge_command(out, ended, files, verdict)
    if out.get("failed"):
        verdict.failures = _failures(home, out["job"])
    wait_until_down(local, verdict)
    judge_catalog(all_points(home.data / "catalog"), album, verdict)
    verdict.seconds = time.monotonic() - begin
    return verdict


def all_points(catalog_folder: Path, collection: str = "pictures") -> list[Point]:
    """Every point in the catalog on disk; the stack must be down."""
    catalog = EdgeCatalog(catalog_folder, collection)
    points: list[Point] = []
    after: str | None = None
    while True:
        page, after = catalog.scroll(None, 500, after, with_vectors=True)
        points += page
        if after is None:
            catalog.close()
            return points


def _start(home: Home, album: Album) -> "subprocess.Popen[str]":
    return home.start("ingest", str(album.folder), "--json", **ENVIRONMENT)


def _finish(producer: "subprocess.Popen[str]", local: StackPaths, verdict: Verdict) -> tuple[dict[str, Any], int]:
    try:
        out, err = producer.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        end_all(local, producer)
        out, err = producer.communicate()
        verdict.wrong.append(f"no end after {LIMIT:g} s")
    verdict.said += err.strip().splitlines()
    return json.loads(out) if out.strip() else {}, producer.returncode


def _judge_command(out: dict[str, Any], ended: int, files: int, verdict: Verdict) -> None:
    accounted = sum(out.get(outcome, 0) for outcome in ("stored", "failed", "skipped"))
    if not out or out["total"] != files or accounted != files:
        verdict.wrong.append(f"the ledger counts {accounted} of {files}: {out}")
    if ended != (1 if out.get("failed") else 0):
        verdict.wrong.append(f"exit code {ended}: {' '.join(verdict.said[-2:])}")


def _failures(home: Home, job: str) -> dict[str, str]:
    rows = home.json("errors", job, **ENVIRONMENT)["errors"]
    return {row["uri"]: row["reason"] for row in rows}


def wait_until_down(local: StackPaths, verdict: Verdict) -> None:
    """Wait for the end of the stack; that it stays up is wrong."""
    end = time.monotonic() + LIMIT
    while is_held(local.stack_lock):
        if time.monotonic() > end:
            verdict.wrong.append("the stack stays up")
            return
        time.sleep(0.05)


def judge_catalog(points: list[Point], album: Album, verdict: Verdict) -> None:
    """Compare what is stored with the album."""
    uris = [point.payload["uri"] for point in points]
    verdict.stored = len(set(uris))
    verdict.doubled = sorted({uri for uri in uris if uris.count(uri) > 1 or uri in verdict.failures})
    verdict.lost = sorted(set(album.vectors) - set(uris) - set(verdict.failures))
    verdict.misfiled = album.misfiled(points)
