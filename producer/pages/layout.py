"""The collection laid out on a plane: pictures that look alike lie close together, each cluster with its words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from producer.collection.scroll import pages
from producer.stack import Stack
from settings.extras import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# A browser draws so many points smoothly; of a larger collection it shows a fair sample, unless more are asked for.
POINTS = 100_000
# Places are whole numbers from 0 to this one.
SPAN = 65535
FIELDS = ["uri", "caption", "sha256"]

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Label:
    """The words of a cluster, "" for none of its own, and the place of its middle."""

    text: str
    cluster: int
    x: float
    y: float

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


@dataclass(frozen=True)
class PlacedPictures:
    """Pictures on a plane: `ids` and `rows` {"uri", "caption", "sha256"} of each point.

    `places` are uint16 little-endian, x and y of each point, from 0 to SPAN; `clusters` a byte each, the number of its
    cluster, the largest first; `labels` has one entry a cluster.
    """

    ids: Sequence[str]
    rows: Rows
    places: bytes
    clusters: bytes
    labels: Sequence[Label]


def require_layout() -> None:
    """Raise ServiceMissing where the library that lays out is not installed."""
    require("sklearn", "map", "A map needs scikit-learn")


def placed_pictures(stack: Stack, limit: int) -> PlacedPictures:
    """At most `limit` pictures of the collection on a plane: seconds of work, and the same ones at the same places."""
    require_layout()
    import numpy as np

    from producer.pages.projection import cluster_labels, lay_out

    ids, rows, reduced = _sample(stack, limit)
    layout = lay_out(reduced)
    labels = []
    captions = [row.get("caption") or "" for row in rows]
    for cluster, text in enumerate(cluster_labels(captions, layout.clusters.tolist())):
        x, y = np.median(layout.places[layout.clusters == cluster], axis=0) * SPAN
        labels.append(Label(text, cluster, float(x), float(y)))
    places = np.round(layout.places * SPAN).astype("<u2").tobytes()
    return PlacedPictures(ids, rows, places, layout.clusters.astype(np.uint8).tobytes(), labels)


def _sample(stack: Stack, limit: int) -> "tuple[list[str], Rows, NDArray[np.float32]]":
    """The ids and payloads of at most `limit` points, and what is kept of their vectors (points, components)."""
    import numpy as np

    from producer.pages.projection import Reduction

    ids: list[str] = []
    rows: Rows = []
    reduction = Reduction()
    # The ids are hashes, so the first ones in their order are a fair sample of all.
    for page in pages(stack, None, FIELDS, with_vectors=True):
        ids += page.ids
        rows += page.payloads
        reduction.add(np.frombuffer(page.vectors, dtype="<f4").reshape(-1, page.dim))
        if len(rows) >= limit:
            break
    return ids[:limit], rows[:limit], reduction.rows()[:limit]
