"""enqueue_per_s, plan_per_s: what the producer does by itself, against a real Redis and a real storage worker."""

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import REPEATS, Figure, measured
from benchmarks.material import tiny_pictures
from benchmarks.stack import kept_up, private_redis
from producer.plan import Numbered
from producer.scan import FileRef
from producer.window import Window
from tasks.ledger import Ledger
from tasks.queues import FILES

ROOT_URI = "file:///srv/photos"
# The window publishes what one chunk of the plan leaves to do.
CHUNK = 2000


def enqueue_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """Files per second that the window publishes, one a task; nobody takes them."""
    return [_enqueue("enqueue_per_s", scratch, 2000 if quick else 40_000, 1, 5000)]


def enqueue_per_s_32(scratch: Path, quick: bool) -> list[Figure]:
    """The same with thirty-two files a task."""
    return [_enqueue("enqueue_per_s_32", scratch, 2000 if quick else 200_000, 32, 50_000)]


def plan_per_s(scratch: Path, quick: bool) -> list[Figure]:
    """Files per second of scan, plan and ledger over a folder that the collection holds unchanged."""
    count = 200 if quick else 20_000
    tiny_pictures(scratch / "pictures", count)
    settings = {"MODELS__CLIP": "null", "MODELS__CAPTIONS": "false", "INGEST__FILES_PER_TASK": "32"}
    with kept_up(scratch, **settings, INGEST__WINDOW="8000") as stack:
        stack.run("ingest", str(scratch / "pictures"))
        arguments = str(scratch / "pictures"), str(count), str(1 if quick else REPEATS)
        rates = stack.python("benchmarks.plan_process", *arguments)["rates"]
    return [measured("plan_per_s", rates, "files/s", goal=20_000)]


def made_up(numbers: range) -> Iterator[Numbered]:
    """Files with names of the usual length that do not exist, a thousand in a folder."""
    for number in numbers:
        name = f"{ROOT_URI}/2024/album-{number // 1000:05}/IMG_{number:08}.jpg"
        yield Numbered(number, FileRef(name, 4_000_000, 1_700_000_000_000_000_000 + number))


def _enqueue(name: str, scratch: Path, count: int, files_per_task: int, goal: float) -> Figure:
    files = list(made_up(range(count)))
    rates = []
    with private_redis(scratch) as client:
        for turn in range(REPEATS):
            window = Window(Ledger(client, f"bench-{turn}"), ROOT_URI, count, files_per_task)
            begin = time.perf_counter()
            for start in range(0, count, CHUNK):
                window.enqueue(files[start : start + CHUNK])
            rates.append(count / (time.perf_counter() - begin))
            client.delete(FILES)
    return measured(name, rates, "files/s", goal=goal)
