"""In how many parts a batch is computed side by side on a CPU of more than a few cores: few parts of many threads each,
or many of one. Which is faster depends on the processor's caches and its memory, so it is measured once.
"""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

from settings import load_settings
from tasks.stack.paths import stack_paths

log = logging.getLogger("darkroom.gpu")

# More parts than on a few cores must be so much faster, for each has activations of its own.
MIN_GAIN = 1.1


def options(threads: int, few: int) -> list[int]:
    """The numbers of parts to measure for so many threads, each a power of two times `few`; the last, a thread each."""
    found = []
    while few < threads:
        found.append(few)
        few *= 2
    return [*found, threads]


def fastest(threads: int, few: int, rate: Callable[[int, int], float]) -> int:
    """The number of parts with the highest `rate`, in pictures a second for so many parts of so many threads."""
    best, highest = few, rate(few, threads // few)
    for parts in options(threads, few)[1:]:
        found = rate(parts, threads // parts)
        if found >= MIN_GAIN * highest:
            best, highest = parts, found
    return best


def read(threads: int) -> int | None:
    """The parts that were measured for so many threads on this machine; None where there is no answer."""
    try:
        found = json.loads(_file().read_text(encoding="utf-8"))[str(threads)]
        return found if isinstance(found, int) and 1 <= found <= threads else None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def write(threads: int, parts: int) -> None:
    """Keep the answer for so many threads; without a folder to write into, the next start measures again."""
    file = _file()
    new = file.with_suffix(f".{os.getpid()}")  # other workers may write the same answer
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.write_text(json.dumps({str(threads): parts}), encoding="utf-8")
        new.replace(file)
    except OSError as error:
        log.info("the number of parts of a batch is not kept: %s", error)


def _file() -> Path:
    # What else it may depend on is in its name: a data directory may be shared by machines.
    from workers.inference.probe.kept import processor

    return stack_paths(load_settings()).precisions / f"parts {processor().replace('/', ' ')}.json"
