"""What all requests share: the client, the files, and what is remembered of points for a while."""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from producer.client import Darkroom
from settings import Settings
from web.files.served import ServedFiles
from web.files.small import SmallPictures
from web.layouts import Layouts
from web.timeline import Timelines

REMEMBERED = 50_000
REMEMBERED_SECONDS = 120.0
# What showing a file takes.
NEEDED = ("uri", "root", "sha256")


class KnownPoints:
    """Where the files of points lie, so that sixty thumbnails of a search ask nobody again."""

    def __init__(self, darkroom: Darkroom) -> None:
        self._darkroom = darkroom
        self._known: OrderedDict[str, tuple[float, dict[str, Any]]] = OrderedDict()
        self._lock = threading.Lock()

    def remember(self, id: str, payload: Mapping[str, Any]) -> None:
        """Keep what is needed of a payload that was just read."""
        with self._lock:
            self._known[id] = time.monotonic(), {name: payload.get(name) for name in NEEDED}
            self._known.move_to_end(id)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)

    def remembered(self, id: str) -> dict[str, Any] | None:
        """The uri, the root and the hash of a point that was read a short while ago."""
        with self._lock:
            then, payload = self._known.get(id, (0.0, {}))
        return payload if payload and time.monotonic() - then <= REMEMBERED_SECONDS else None

    def file_of(self, id: str) -> dict[str, Any]:
        """The uri, the root and the hash of a point; raises NotFound where the collection has none."""
        payload = self.remembered(id)
        if payload is None:
            payload = dict(self._darkroom.point(id).payload)
            self.remember(id, payload)
        return payload


@dataclass(frozen=True)
class State:
    """One for each server; every part may be used by many threads."""

    settings: Settings
    darkroom: Darkroom
    files: ServedFiles
    small: SmallPictures
    points: KnownPoints
    timelines: Timelines
    layouts: Layouts

    @classmethod
    def of(cls, settings: Settings, darkroom: Darkroom) -> "State":
        """The state of a new server."""
        files = ServedFiles(settings)
        small = SmallPictures(settings, files)
        return cls(settings, darkroom, files, small, KnownPoints(darkroom), Timelines(darkroom), Layouts(darkroom))


async def state_of(request: Request) -> State:
    """The state of the server that answers this request."""
    state: State = request.app.state.web
    return state


Web = Annotated[State, Depends(state_of)]
