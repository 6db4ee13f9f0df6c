"""search_p50_ms and near_duplicates: questions to a filled collection, at rest and beside an ingest."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_stack import ROOT, Bench, kept_up
from benchmarks.figures.bounds import at_most, require_count
from benchmarks.harness import Figure
from benchmarks.material import tiny_pictures
from pictures.uris import point_id
from workers.storage.catalog import Catalog, Point
from workers.storage.duplicates.near import Groups
from workers.storage.duplicates.search import DuplicateSearch
from workers.storage.embedded.catalog import EdgeCatalog

SIZES = (1000, 10_000, 100_000)
SEARCHES = 150
INGESTED = 6000  # a minute at the null model's rate


def search_p50_ms(scratch: Path, quick: bool) -> list[Figure]:
    """Median milliseconds at the largest size, by meaning and by both; the table has each size."""
    settings = {"MODELS__CLIP": "null:10:512", "MODELS__CAPTIONS": "false"}
    rows = [["points", "beside", "p50, ms", "p99, ms", "of it embedding, p50", "of it the search, p50"]]
    sizes = SIZES[:1] if quick else SIZES
    searches = 20 if quick else SEARCHES
    tiny_pictures(scratch / "pictures", 2000 if quick else INGESTED)
    held = 0
    with kept_up(scratch, **settings) as stack:
        for size in sizes:
            held = stack.python("benchmarks.processes.fill", str(held), str(size))["points"]
            found = stack.python("benchmarks.processes.search", str(searches))
            rows.append(_row(size, "nothing", found))
            both = stack.python("benchmarks.processes.search", str(searches), "both")
            rows.append(_row(size, "nothing, by both", both))
        # Beside the ingest only once, at the largest: it adds points of its own.
        found = _beside_an_ingest(stack, scratch / "pictures", searches)
        rows.append(_row(sizes[-1], "an ingest", found))
    figure = Figure(
        "search_p50_ms",
        found["p50"],
        found["least"],
        found["p99"],
        "ms",
        at_most(50, floor=150),
        detail={"table": rows},
    )
    fused = Figure("search_both_p50_ms", both["p50"], both["least"], both["p99"], "ms", at_most(60, floor=200))
    return [figure, fused]


def _beside_an_ingest(stack: Bench, folder: Path, searches: int) -> dict[str, Any]:
    ingest = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.processes.ingest", str(folder)],
        cwd=ROOT, env=stack.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        stack.wait_until_busy()
        found = stack.python("benchmarks.processes.search", str(searches))
        if ingest.poll() is not None:
            raise RuntimeError("the ingest ended before the searches did: these figures say nothing")
    finally:
        ingest.kill()
        ingest.wait()
    return found


def _row(size: int, beside: str, found: dict[str, Any]) -> list[str]:
    parts = (found[name] for name in ("p50", "p99", "embed_p50", "nearest_p50"))
    return [f"{size:,}", beside, *(f"{milliseconds:.1f}" for milliseconds in parts)]


POINTS, FEW = 20_000, 3_000
# The embeddings of CLIP ViT-B/32.
DIM = 512
THRESHOLD = 0.95
REPEATS = 3
BATCH = 500
GOAL = at_most(5, floor=30)


def near_duplicates_20k_s(scratch: Path, quick: bool) -> list[Figure]:
    """Seconds for the near-duplicates of 20,000 points in the embedded catalog, compared with brute force."""
    vectors = _embeddings(FEW if quick else POINTS)
    catalog = EdgeCatalog(scratch, "duplicates")
    try:
        _fill(catalog, vectors)
        seconds, groups = [], []
        for _ in range(1 if quick else REPEATS):
            begin = time.perf_counter()
            groups = DuplicateSearch(catalog, THRESHOLD, None, lambda: False, scratch).find()
            seconds.append(time.perf_counter() - begin)
    finally:
        catalog.close()
    found = {id_ for group in groups for id_, _ in group}
    begin = time.perf_counter()
    expected = {point_id(_uri(number)) for group in _compared_all(vectors) for number in group}
    brute = time.perf_counter() - begin
    require_count(len(found & expected), len(expected), "near duplicates were found")
    require_count(len(found), len(expected), "pictures that were found are near duplicates")
    return [
        Figure(
            "near_duplicates_20k_s",
            sorted(seconds)[len(seconds) // 2],
            min(seconds),
            max(seconds),
            "s",
            goal=GOAL,
            detail={
                "points": len(vectors),
                "dim": DIM,
                "threshold": THRESHOLD,
                "groups": len(groups),
                "recall": len(found & expected) / len(expected),
                "wrong": len(found - expected),
                "brute_force_s": round(brute, 2),
            },
        )
    ]


def _embeddings(count: int) -> NDArray[np.float32]:
    """Vectors in a narrow cone and in clusters, as CLIP makes them, every twentieth a noisy copy of another."""
    rng = np.random.default_rng(2026)
    clusters = rng.standard_normal((200, DIM)) * rng.exponential(1, DIM)
    rows = 1.2 * rng.standard_normal(DIM) + clusters[rng.integers(0, 200, count)] / 2
    rows += 0.7 * rng.standard_normal((count, DIM)) * rng.exponential(1, DIM)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    copies = rng.permutation(count)[: count // 10].reshape(2, -1)
    rows[copies[0]] = rows[copies[1]] + rng.uniform(0, 0.4, (count // 20, 1)) * rng.standard_normal(
        (count // 20, DIM)
    ) / np.sqrt(DIM)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows, dtype=np.float32)


def _fill(catalog: Catalog, vectors: NDArray[np.float32]) -> None:
    catalog.ensure(DIM, "benchmark")
    for start in range(0, len(vectors), BATCH):
        catalog.upsert(
            [
                Point(point_id(_uri(number)), vectors[number], {"uri": _uri(number)})
                for number in range(start, min(start + BATCH, len(vectors)))
            ]
        )


def _uri(number: int) -> str:
    return f"file:///pictures/{number:06}.jpg"


def _compared_all(vectors: NDArray[np.float32]) -> list[list[int]]:
    groups = Groups(len(vectors))
    for start in range(0, len(vectors), 1000):
        near = vectors[start : start + 1000] @ vectors[start:].T >= THRESHOLD
        for row, column in np.argwhere(np.triu(near, 1)).tolist():
            groups.link(start + row, start + column)
    return groups.as_lists()
