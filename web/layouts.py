"""The map of the collection, which takes seconds to lay out: kept while the collection is as large as it was."""

import threading

from producer.client import Darkroom
from producer.pages.layout import PlacedPictures

# Half a minute of a core for the first one who looks; of a larger collection it is a fair sample.
PICTURES = 100_000


class Layouts:
    """Keeps the latest map; whoever asks meanwhile waits for the one that is being laid out."""

    def __init__(self, darkroom: Darkroom) -> None:
        self._darkroom = darkroom
        self._kept: tuple[int, PlacedPictures] | None = None
        self._lock = threading.Lock()

    def latest(self) -> PlacedPictures:
        """The map; raises WrongUse for an empty collection, ServiceMissing where scikit-learn is not installed."""
        with self._lock:
            points = self._darkroom.status().collection["points"]
            if self._kept is None or self._kept[0] != points:
                self._kept = points, self._darkroom.placed(PICTURES)
            return self._kept[1]
