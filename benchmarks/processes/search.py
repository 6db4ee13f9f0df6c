"""The questions of search_p50_ms, in a process with the stack's settings: TIMES searches one after the other."""

import json
import sys
import time

import numpy as np

from tasks.queues import EMBED_TEXTS, SEARCH
from tasks.rpc import ask

WARM_UP = 10
SECONDS = 60.0


def main(times: int) -> None:
    """Print the percentiles in milliseconds as JSON."""
    taken = []
    for turn in range(WARM_UP + times):
        begin = time.perf_counter()
        made = ask(EMBED_TEXTS, SECONDS, texts=[f"a search of its own, number {turn}"])
        between = time.perf_counter()
        hits = ask(SEARCH, SECONDS, vector=made["vectors"], clip_model=made["clip_model"], limit=10)
        end = time.perf_counter()
        if len(hits) != 10:
            raise RuntimeError(f"{len(hits)} instead of 10 answers")
        if turn >= WARM_UP:
            taken.append((end - begin, between - begin, end - between))
    whole, embed, nearest = (1000 * np.array(each) for each in zip(*taken, strict=True))
    print(
        json.dumps(
            {
                "least": float(whole.min()),
                "p50": float(np.percentile(whole, 50)),
                "p99": float(np.percentile(whole, 99)),
                "embed_p50": float(np.percentile(embed, 50)),
                "nearest_p50": float(np.percentile(nearest, 50)),
            }
        )
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
