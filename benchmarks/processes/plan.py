"""The producer's side of plan_per_s, in a process with the stack's settings: FOLDER COUNT TURNS."""

import json
import sys
import time
from pathlib import Path

from benchmarks.figures.bounds import require_count
from producer.ingest.plan import plan
from producer.ingest.sources.exclusion import PassedOver, exclusion_of
from producer.ingest.sources.scan import scan
from settings import load_settings
from tasks.broker import redis_client
from tasks.checkpoint import target_of
from tasks.ledger import Ledger
from tasks.rpc import Question


def main(folder: Path, count: int, turns: int) -> None:
    """Print the files per second of each turn as JSON; raises WrongCount where a file is not found unchanged."""
    settings = load_settings()
    ledger = Ledger(redis_client(settings), "bench-plan")
    rules = exclusion_of(folder, settings.ingest.exclude, settings.data.dir)
    rates = []
    for _ in range(turns):
        begin = time.perf_counter()
        found = 0
        for planned in plan(scan(folder, rules, PassedOver()), target_of(settings), _answer):
            ledger.skipped(planned.unchanged)
            found += len(planned.unchanged)
        rates.append(found / (time.perf_counter() - begin))
        require_count(found, count, "files were found unchanged")
    print(json.dumps({"rates": rates}))


def _answer(question: Question) -> bytes:
    unchanged: bytes = question.wait(60)
    return unchanged


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
