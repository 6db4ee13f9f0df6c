"""edge_million: what a million points in the embedded catalog cost: memory, opening, searching, filtering, duplicates,
the map and an export.

The points are made up: embeddings in a cone and in clusters, of which known ones are near copies of others, with the
payload of real pictures, of which known ones are byte-identical. Each question about the catalog has a process of its
own, whose memory is that of the catalog and of the question. What a person asks goes through a stack that is kept up.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.bench_stack import Bench, kept_up
from benchmarks.figures.bounds import Goal, at_most, require_count
from benchmarks.harness import Figure, measured
from benchmarks.large.made_up import BATCH, COPIES, DIM, MODEL, NEAR, NIKON, batches, catalog_of, embeddings, payload
from benchmarks.processes.ingest import resident_peak
from pictures.uris import point_id
from tasks.checkpoint import checkpoint_name
from workers.storage.duplicates.search import DuplicateSearch
from workers.storage.embedded.catalog import EdgeCatalog

POINTS, FEW = 1_000_000, 3_000
FEW_DRAWN = 100
SEARCHES = 50
THRESHOLD = 0.95
STATUS = Path("/proc/self/status")
Measured = dict[str, float]

# The unit and the goal of each figure; the small numbers of a smoke run are held to the counts alone.
FIGURES: dict[str, tuple[str, Goal | None]] = {
    "search_p50": ("ms", at_most(30, floor=100)),
    "search_one_camera_p50": ("ms", None),
    "count_one_camera": ("ms", None),
    "page_of_1000": ("ms", None),
    "write": ("points/s", None),
    "disk": ("bytes a point", None),
    "memory": ("bytes a point", None),
    "memory_mapped": ("bytes a point", None),
    "open": ("s", None),
    "copies": ("s", None),
    "near": ("s", at_most(900, floor=3600)),
    "near_processor": ("s of one core", None),
    "near_memory": ("MB", at_most(6000, floor=8000)),
    "near_memory_mapped": ("MB", None),
    "asked_p50": ("ms", None),
    "export": ("s", None),
    "export_memory": ("MB", at_most(800, floor=1500)),
    "map": ("s", None),
    "map_memory": ("MB", None),
}


def edge_million(scratch: Path, quick: bool) -> list[Figure]:
    """A figure for each question; the table has them all together."""
    points = FEW if quick else POINTS
    found: Measured = {}
    steps: list[Callable[[], Measured]] = [
        *(partial(_alone, work, scratch, points) for work in (_fill, _ask, _copies, _near)),
        partial(_through_a_stack, scratch, points, quick),
    ]
    for step in steps:
        taken = step()
        found |= taken
        print(*(f"{name} {value:,.3g}" for name, value in taken.items()), sep="  ", file=sys.stderr)  # it takes a while
    rows = [[f"{points:,} points", "value", "unit"]]
    rows += [[name, f"{found[name]:,.0f}" if found[name] >= 100 else f"{found[name]:.3g}", FIGURES[name][0]]
             for name in FIGURES]  # fmt: skip
    figures = [measured(f"edge_million_{name}", [found[name]], *FIGURES[name]) for name in FIGURES]
    return [measured("edge_million", [points], "points", detail={"table": rows}), *figures]


def _alone(work: Callable[[Path, int], Measured], scratch: Path, points: int) -> Measured:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, scratch, points).result()


def _fill(scratch: Path, points: int) -> Measured:
    catalog = catalog_of(scratch)
    catalog.ensure(DIM, checkpoint_name(MODEL))
    spent = 0.0
    for batch in batches(0, points, embeddings):
        begin = time.perf_counter()
        catalog.upsert(batch)
        spent += time.perf_counter() - begin
    require_count(catalog.count(), points, "points were written")
    catalog.close()
    files = (path for path in (scratch / "data").rglob("*") if path.is_file())
    return {"write": points / spent, "disk": sum(512 * path.stat().st_blocks for path in files) / points}


def _ask(scratch: Path, points: int) -> Measured:
    before = _memory()
    begin = time.perf_counter()
    catalog = catalog_of(scratch)
    taken = {"open": time.perf_counter() - begin}
    require_count(catalog.count(), points, "points are there after opening")
    questions = embeddings(points + 1, SEARCHES)
    cameras = sum(payload(number)["camera"] == "NIKON Z 8" for number in range(points))
    require_count(catalog.count(NIKON), cameras, "points are of that camera")
    ten = partial(_ten_nearest, catalog)
    taken["search_p50"] = _p50([partial(ten, question) for question in questions])
    taken["search_one_camera_p50"] = _p50([partial(ten, question, NIKON) for question in questions])
    taken["count_one_camera"] = _p50([partial(catalog.count, NIKON)] * 5)
    page = partial(catalog.scroll, NIKON, 1000, point_id("in the middle"))
    taken["page_of_1000"] = _p50([page] * 5)
    own, mapped = (after - ago for after, ago in zip(_memory(), before, strict=True))
    catalog.close()
    return taken | {"memory": own / points, "memory_mapped": mapped / points}


def _ten_nearest(catalog: EdgeCatalog, question: np.ndarray, where: dict[str, object] | None = None) -> None:
    require_count(len(catalog.search(question, 10, where)), 10, "answers to a search")


def _copies(scratch: Path, points: int) -> Measured:
    catalog = catalog_of(scratch)
    begin = time.perf_counter()
    groups = DuplicateSearch(catalog, None, None, lambda: False, scratch).find()
    seconds = time.perf_counter() - begin
    catalog.close()
    # Every COPIES-th has the bytes of the next one.
    require_count(len(groups), len(range(0, points - 1, COPIES)), "groups of byte-identical pictures")
    return {"copies": seconds}


def _near(scratch: Path, points: int) -> Measured:
    catalog = catalog_of(scratch)
    most = [_memory()]
    begin, spent = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(DuplicateSearch(catalog, THRESHOLD, None, lambda: False, scratch).find)
        while not wait([search], timeout=0.5).done:
            most.append(_memory())
    groups = search.result()
    taken = {"near": time.perf_counter() - begin, "near_processor": time.process_time() - spent}
    taken["near_memory"], taken["near_memory_mapped"] = (max(each) / 1e6 for each in zip(*most, strict=True))
    catalog.close()
    group_of = {id_: number for number, group in enumerate(groups) for id_, _ in group}
    planted = missed = 0
    for start in range(0, points, BATCH):
        rows = embeddings(start, min(BATCH, points - start))
        copies = min(NEAR, len(rows) // 2)
        near = np.einsum("ij,ij->i", rows[:copies], rows[len(rows) - copies :]) >= THRESHOLD
        for place in np.flatnonzero(near).tolist():
            one, other = (_id(start + row) for row in (place, len(rows) - copies + place))
            planted += 1
            missed += one not in group_of or group_of[one] != group_of.get(other)
    require_count(planted - missed, planted, "planted pairs were found")
    return taken


def _id(number: int) -> str:
    return point_id(str(payload(number)["uri"]))


def _through_a_stack(scratch: Path, points: int, quick: bool) -> Measured:
    settings = {"MODELS__CLIP": MODEL, "MODELS__CAPTIONS": "false"}
    with kept_up(scratch, **settings) as stack:
        asked = stack.python("benchmarks.processes.search", "5" if quick else str(SEARCHES))["nearest_p50"]
        export = _whole(stack, "export", scratch / "all.parquet")
        require_count(int(export["points"]), points, "points were exported")
        drawn_points = FEW_DRAWN if quick else points
        drawn = _whole(stack, "map", scratch / "map.html", str(drawn_points))
        require_count(int(drawn["points"]), drawn_points, "points are on the map")
    return {
        "asked_p50": asked,
        "export": export["seconds"], "export_memory": export["rss"] / 1e6,
        "map": drawn["seconds"], "map_memory": drawn["rss"] / 1e6,
    }  # fmt: skip


def _whole(stack: Bench, what: str, file: Path, *limit: str) -> Measured:
    try:
        return stack.python("benchmarks.processes.whole", what, str(file), *limit)
    finally:
        file.unlink(missing_ok=True)


def _p50(work: list[Callable[[], object]]) -> float:
    """The median of the milliseconds that each takes, by the clock; the first is asked once before."""
    work[0]()
    taken = []
    for each in work:
        begin = time.perf_counter()
        each()
        taken.append(1000 * (time.perf_counter() - begin))
    return float(np.median(taken))


def _memory() -> tuple[int, int]:
    """Bytes of this process: its own, and those of files, which the system may take back."""
    if not STATUS.exists():  # not Linux: all is taken for its own
        return resident_peak(), 0
    lines = dict(line.split(":") for line in STATUS.read_text().splitlines())
    own, mapped = (1024 * int(lines[name].split()[0]) for name in ("RssAnon", "RssFile"))
    return own, mapped
