"""What happens on the small cluster: a cable is cut in the middle of a job, and plugged in again."""

import random
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.cluster.hosts import HUB, Cluster, result_of
from tests.cluster.network import Network

STAYS, GOES = "gpu-a", "gpu-b"
JOB_SECONDS = 240.0
MILLISECONDS = 20


@dataclass(frozen=True)
class Result:
    """`cut` files of `files` were stored while one of the two workers was cut off, `healed` by that one alone later."""

    files: int
    stored: int
    cut: int
    healed: int


def run(scratch: Path, files: int, cut_seconds: float) -> Result:
    """Cut one worker off once a fifth of the job is stored, for `cut_seconds` and until the job is done.
    Redis drops its connections in the meantime, so that what the worker holds are dead ends.

    Then it is plugged in again and the other one is cut off: a second job, of a tenth of the files, has only the worker
    that was away.
    """
    first = pictures(scratch / "first", files)
    second = pictures(scratch / "second", max(1, files // 10))
    with (
        Network([HUB, STAYS, GOES]) as network,
        Cluster(network, [STAYS, GOES], scratch, MILLISECONDS) as cluster,
    ):
        try:
            ingest = cluster.start_ingest(first)
            before = _wait_for(cluster, ingest, files // 5)
            network.cut(GOES)
            cut_off = time.monotonic()
            cluster.forget(GOES)
            done = result_of(ingest, JOB_SECONDS)
            time.sleep(max(0.0, cut_off + cut_seconds - time.monotonic()))
            network.heal(GOES)
            network.cut(STAYS)
            alone = result_of(cluster.start_ingest(second), JOB_SECONDS)
            network.heal(STAYS)
        except Exception as error:
            error.add_note(cluster.logs())
            raise
    return Result(files=files, stored=done["stored"], cut=done["stored"] - before, healed=alone["stored"])


def pictures(folder: Path, count: int) -> Path:
    """`count` small pictures with different contents; the folder."""
    folder.mkdir(parents=True)
    draws = random.Random(str(folder.name))
    for number in range(count):
        Image.frombytes("RGB", (8, 8), draws.randbytes(192)).save(folder / f"{number:04}.png")
    return folder


def _wait_for(cluster: Cluster, ingest: "subprocess.Popen[str]", stored: int) -> int:
    """How many files are stored once it is at least `stored` of them."""
    deadline = time.monotonic() + JOB_SECONDS
    while time.monotonic() < deadline and ingest.poll() is None:
        job = cluster.newest_job()
        count = cluster.stored(job) if job else 0
        if count >= stored:
            return count
        time.sleep(0.05)
    raise TimeoutError(f"the job did not come to {stored} stored files")
