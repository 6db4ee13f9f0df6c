"""How fast the models of this worker are: told to those who wait for an ingest, and kept for `models` to show."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import redis

from pictures.picture import Pixels
from tasks.reports import report_speed

log = logging.getLogger("darkroom.gpu")

Result = TypeVar("Result")
# What is older says little: the machine may be busier now, or less.
HALF_LIFE_PICTURES = 500
TELL_SECONDS = 5.0


class Speed:
    """The seconds that each model needs for one picture, over the last pictures that it has computed."""

    def __init__(self) -> None:
        self._computed: dict[str, tuple[float, float]] = {}
        self._warm: set[str] = set()
        # When the last batch of each model ended: of two that are under way the second one's time begins there.
        self._ended: dict[str, float] = {}
        self._lock = threading.Lock()

    def timed(
        self, model: str, compute: Callable[[Sequence[Pixels]], Sequence[Result]], pictures: Sequence[Pixels]
    ) -> Sequence[Result]:
        """What `compute` returns for these pictures; two batches of a model may be under way."""
        begin = time.perf_counter()
        results = compute(pictures)
        end = time.perf_counter()
        with self._lock:
            seconds = end - max(begin, self._ended.get(model, begin))
            self._ended[model] = end
            if model in self._warm:
                kept = 0.5 ** (len(pictures) / HALF_LIFE_PICTURES)
                before, spent = self._computed.get(model, (0.0, 0.0))
                self._computed[model] = (kept * before + len(pictures), kept * spent + seconds)
            # The first batch of all pays for more than its pictures.
            self._warm.add(model)
        return results

    def seconds_per_picture(self) -> dict[str, float]:
        """Checkpoint -> seconds; only of models that have computed more than a first batch."""
        return {model: spent / pictures for model, (pictures, spent) in self._computed.items()}


def tell_speed(speed: Speed, client: redis.Redis, name: str, file: Path) -> None:
    """Report the speed of the worker `name` for as long as this process lives, in a thread, and keep it in `file`."""

    def tell() -> None:
        kept: dict[str, float] = {}
        while True:
            time.sleep(TELL_SECONDS)
            if not (measured := speed.seconds_per_picture()):
                continue
            try:
                report_speed(client, name, measured)
                if measured != kept:
                    write_speed(file, measured)
                    kept = measured
            except (redis.RedisError, OSError) as error:  # nothing depends on it
                log.debug("the speed of the models was not told: %s", error)

    threading.Thread(target=tell, name="speed", daemon=True).start()


def write_speed(file: Path, seconds_per_picture: dict[str, float]) -> None:
    """Keep what was measured, beside what `file` holds of other checkpoints."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(".new")
    new.write_text(json.dumps({**read_speed(file), **seconds_per_picture}))
    new.replace(file)


def read_speed(file: Path) -> dict[str, float]:
    """Checkpoint -> seconds for one picture; nothing where there is no such file, or another program has written it."""
    try:
        found = json.loads(file.read_text())
        return {str(model): float(seconds) for model, seconds in found.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
