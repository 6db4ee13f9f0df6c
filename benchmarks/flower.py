"""flower_p95_ms: how long Flower's pages take during a large job, how old the job's row is, and Flower's memory."""

import base64
import json
import re
import threading
import time
import urllib.error
import urllib.request
from bisect import bisect_right
from pathlib import Path

from benchmarks.bench_stack import Bench, kept_up
from benchmarks.figures.bounds import at_most
from benchmarks.harness import Figure, measured
from benchmarks.material import tiny_pictures
from tasks.ledger import Ledger, jobs

LOGIN = "me:secret"
COUNT = 20_000
PAUSE_SECONDS = 0.2
TABLE = "/tasks/datatable?draw=1&start=0&length=15&order[0][column]=0&columns[0][data]=received&order[0][dir]=desc"


def flower_p95_ms(scratch: Path, quick: bool) -> list[Figure]:
    """A job of 20,000 files with the null model, every file a task, every task three events; a page after the other."""
    count = 300 if quick else COUNT
    tiny_pictures(scratch / "pictures", count)
    with kept_up(scratch, MODELS__CLIP="null", MODELS__CAPTIONS="false", FLOWER__BASIC_AUTH=LOGIN) as stack:
        look = _Look(stack)
        ingest = threading.Thread(target=stack.run, args=("ingest", str(scratch / "pictures")))
        truth = threading.Thread(target=look.follow, daemon=True)
        ingest.start()
        truth.start()
        while ingest.is_alive():
            look.once()
            time.sleep(PAUSE_SECONDS)
        look.over.set()
        truth.join()
        spent = look.cpu_seconds()
    milliseconds = sorted(1000 * seconds for seconds in look.seconds)
    p95 = milliseconds[int(0.95 * (len(milliseconds) - 1))]
    return [
        measured(
            "flower_p95_ms",
            [p95],
            "ms",
            goal=at_most(500, floor=1000),
            detail={"pages": len(milliseconds), "files": count, "cpu_ms_a_file": round(1000 * spent / count, 2)},
        ),
        measured("flower_row_age_s", [max(look.ages, default=0.0)], "s", goal=at_most(2, floor=5)),
        measured("flower_rss_mb", [max(look.rss) / 1e6], "MB", goal=at_most(300, floor=400)),
    ]


class _Look:
    """What somebody sees who looks at Flower again and again, beside what the ledger says at the same time."""

    def __init__(self, stack: Bench) -> None:
        self.seconds: list[float] = []
        self.ages: list[float] = []
        self.rss: list[int] = []
        self.over = threading.Event()
        self._client = stack.redis()
        self._process = stack.children()["flower"]
        self._begin = sum(self._process.cpu_times()[:2])
        self._address = f"http://127.0.0.1:{stack.env['DARKROOM__FLOWER__PORT']}"
        self._times: list[float] = []
        self._finished: list[int] = []
        self._turn = 0

    def cpu_seconds(self) -> float:
        """Processor time that Flower has taken since the first look."""
        return sum(self._process.cpu_times()[:2]) - self._begin

    def follow(self) -> None:
        """Note how many files are finished, ten times a second."""
        while not self.over.wait(0.1):
            names = jobs(self._client, 1)
            if names:
                finished = Ledger(self._client, names[0]).counts().finished
                self._times.append(time.monotonic())
                self._finished.append(finished)

    def once(self) -> None:
        """Ask for one page, and how far the job is."""
        names = jobs(self._client, 1)
        pages = ["/workers", "/tasks", TABLE, "/metrics", *(f"/task/{name}" for name in names)]
        self._turn += 1
        begin = time.monotonic()
        # A job is unknown until Flower has heard of it; that answer takes its time as well.
        self._get(pages[self._turn % len(pages)])
        self.seconds.append(time.monotonic() - begin)
        self.rss.append(self._process.memory_info().rss)
        if names:
            shown = self._get(f"/api/task/info/{names[0]}")
            said = re.search(r"([\d,]+)/[\d,]+", str(json.loads(shown).get("result"))) if shown else None
            if said:
                self.ages.append(self._age(int(said[1].replace(",", ""))))

    def _age(self, said: int) -> float:
        """Seconds since the ledger said what the row says."""
        place = bisect_right(self._finished, said) - 1
        if place < 0 or place == len(self._finished) - 1:
            return 0.0
        return time.monotonic() - self._times[place]

    def _get(self, path: str) -> str:
        request = urllib.request.Request(self._address + path)
        request.add_header("Authorization", f"Basic {base64.b64encode(LOGIN.encode()).decode()}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError:
            return ""
