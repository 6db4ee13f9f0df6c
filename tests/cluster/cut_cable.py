"""A cable is cut in the middle of a job, and plugged in again."""

import subprocess
import time
from pathlib import Path

from tests.chaos.pictures import Album
from tests.chaos.rounds import all_points
from tests.cluster.album import Verdict, judge, noise_album
from tests.cluster.hosts import HUB, Cluster, result_of
from tests.cluster.network import Network

STAYS, GOES = "gpu-a", "gpu-b"
JOB_SECONDS = 240.0
MILLISECONDS = 20


def cut_cable(scratch: Path, files: int, cut_seconds: float) -> Verdict:
    """Cut one worker off once a fifth of the job is stored, for `cut_seconds` and until the job is done.
    Redis drops its connections in the meantime, so that what the worker holds are dead ends.

    Then it is plugged in again and the other one is cut off: a second job, of a tenth of the files, has only the worker
    that was away. `also` says whether one of the two jobs went on without the worker that it had to go on with.
    """
    first = noise_album(scratch / "first", files)
    second = noise_album(scratch / "second", max(1, files // 10))
    with (
        Network([HUB, STAYS, GOES]) as network,
        Cluster(network, [STAYS, GOES], scratch, MILLISECONDS) as cluster,
    ):
        try:
            ingest = cluster.start_ingest(first.folder)
            before = _wait_for(cluster, ingest, files // 5)
            network.cut(GOES)
            cut_off = time.monotonic()
            cluster.forget(GOES)
            done = result_of(ingest, JOB_SECONDS)
            time.sleep(max(0.0, cut_off + cut_seconds - time.monotonic()))
            network.heal(GOES)
            network.cut(STAYS)
            alone = result_of(cluster.start_ingest(second.folder), JOB_SECONDS)
            network.heal(STAYS)
        except Exception as error:  # raised again, with the logs
            error.add_note(cluster.logs())
            raise
    both = Album(scratch, {**first.sha256, **second.sha256}, {**first.vectors, **second.vectors}, first.model)
    also = {"nothing_while_cut": int(done["stored"] == before), "nothing_once_back": int(alone["stored"] == 0)}
    points = all_points(scratch / HUB / "catalog")
    return judge(both, points, done["failed"] + alone["failed"], also)


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
