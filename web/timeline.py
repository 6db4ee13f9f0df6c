"""The collection in the order of time: what a page needs to lay out all pictures before it has seen one."""

import threading
import time
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from pictures.uris import point_id
from producer.client import Darkroom

FIELDS = ("uri", "root", "sha256", "width", "height", "taken_at", "mtime", "caption", "gps")
# Timelines of so many filters are kept; one takes half a kilobyte a picture.
KEPT = 4
# After that long it is read anew, behind the one that is shown.
FRESH_SECONDS = 30.0
MOST_RATIO = 10.0


@dataclass(frozen=True)
class Entry:
    """One picture of a timeline; `place` is its latitude and longitude in degrees."""

    uri: str
    root: str
    sha256: str
    taken_at: str | None
    caption: str | None
    place: tuple[float, float] | None = None

    @property
    def id(self) -> str:
        """The id of its point."""
        return point_id(self.uri)


@dataclass(frozen=True)
class Month:
    """The pictures of a month, `2024-05`, None for those without a date; `start` is the place of the first."""

    month: str | None
    start: int
    count: int


@dataclass(frozen=True)
class Timeline:
    """All pictures, the newest first, then those without a date, the last changed first.

    `ratios` has a number a picture: its width by its height, in thousandths.
    """

    entries: Sequence[Entry]
    ratios: "array[int]"
    months: Sequence[Month]
    read_at: float


class Timelines:
    """Keeps the timelines of the latest filters; a stale one is shown while a new one is read."""

    def __init__(self, darkroom: Darkroom) -> None:
        self._darkroom = darkroom
        self._kept: OrderedDict[tuple[str, ...], Timeline] = OrderedDict()
        self._reading: set[tuple[str, ...]] = set()
        self._lock = threading.Lock()
        self._read_lock = threading.Lock()

    def of(self, where: Sequence[str]) -> Timeline:
        """The timeline of the pictures that meet these conditions; raises WrongUse for one that cannot be read."""
        key = tuple(where)
        with self._lock:
            found = self._kept.get(key)
            if found:
                self._kept.move_to_end(key)
                is_stale = time.monotonic() - found.read_at > FRESH_SECONDS and key not in self._reading
                if is_stale:
                    self._reading.add(key)
                    threading.Thread(target=self._read_behind, args=(key,), name="timeline", daemon=True).start()
                return found
        with self._read_lock:
            return self._kept.get(key) or self._read(key)

    def forget(self) -> None:
        """Read them anew when they are asked for next: the collection has changed."""
        with self._lock:
            self._kept.clear()

    def _read_behind(self, key: tuple[str, ...]) -> None:
        try:
            self._read(key)
        finally:
            with self._lock:
                self._reading.discard(key)

    def _read(self, key: tuple[str, ...]) -> Timeline:
        timeline = read_timeline(self._darkroom, key)
        with self._lock:
            self._kept[key] = timeline
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return timeline


def read_timeline(darkroom: Darkroom, where: Sequence[str]) -> Timeline:
    """Read every point that meets the conditions, and put them in order."""
    begun = time.monotonic()
    rows = []
    for point in darkroom.points(where=where, fields=FIELDS):
        known = point.payload
        taken = known.get("taken_at")
        gps = known.get("gps")
        place = (gps["lat"], gps["lon"]) if gps else None
        entry = Entry(known["uri"], known.get("root") or "", known["sha256"], taken, known.get("caption"), place)
        rows.append((taken or "", known.get("mtime") or 0, _ratio(known.get("width"), known.get("height")), entry))
    rows.sort(key=lambda row: row[:2], reverse=True)
    months, start = [], 0
    for month, group in groupby(rows, key=lambda row: row[0][:7] or None):
        count = sum(1 for _ in group)
        months.append(Month(month, start, count))
        start += count
    return Timeline([row[3] for row in rows], array("H", (row[2] for row in rows)), months, begun)


def _ratio(width: int | None, height: int | None) -> int:
    ratio = width / height if width and height else 1.5
    return round(1000 * min(max(ratio, 1 / MOST_RATIO), MOST_RATIO))
