"""The questions of search_p50_ms, in a process with the stack's settings: TIMES searches one after the other.

With `both` as the second argument words count as well, which are those of the captions of the collection.
"""

import json
import sys
import time

import numpy as np

from benchmarks.figures.bounds import require_count
from models.scenes import fresh_scenes
from tasks.queues import EMBED_TEXTS, SEARCH
from tasks.rpc import ask

WARM_UP = 10
SECONDS = 60.0


def main(times: int, by_both: bool) -> None:
    """Print the percentiles in milliseconds as JSON."""
    taken = []
    asked = fresh_scenes(seed=2, count=WARM_UP + times)
    for turn in range(WARM_UP + times):
        begin = time.perf_counter()
        text = asked[turn].sentence
        made = ask(EMBED_TEXTS, SECONDS, texts=[text])
        between = time.perf_counter()
        words = [[text, 1.0]] if by_both else []
        hits = ask(SEARCH, SECONDS, vector=made["vectors"], clip_model=made["clip_model"], limit=10, words=words)
        end = time.perf_counter()
        require_count(len(hits), 10, "answers to a search")
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
    main(int(sys.argv[1]), "both" in sys.argv[2:])
