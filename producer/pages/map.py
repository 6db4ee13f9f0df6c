"""The collection as a picture: one page on which pictures that look alike lie close together."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pictures.thumbnails import require_decoder, thumbnails
from producer.collection.scroll import pages
from producer.collection.search import filled_collection
from producer.formatting import shown
from producer.output_file import check_output, replacing
from producer.pages.rendering import PAGE, render, require_jinja
from producer.stack import Stack
from settings.extras import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from producer.pages.projection import Layout

# A browser draws so many points smoothly; of a larger collection the page shows a fair sample.
POINTS = 100_000
# Pictures inside the page, some 3 kB each; the others are read from their files while the mouse is over them.
THUMBNAILS = 1500
THUMBNAIL = 128
SPAN = 65535
FIELDS = ["uri", "caption"]

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Map:
    """A map that was drawn: `points` of the `of` that the collection holds, in clusters; its size in bytes."""

    file: str
    points: int
    of: int
    clusters: int
    thumbnails: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def check_map(target: Path) -> Path:
    """The absolute path of the page; raises WrongUse where it cannot be written, ServiceMissing without libraries."""
    path = check_output(target, PAGE)
    require_decoder()
    require_jinja("map")
    require("sklearn", "map", "A map needs scikit-learn")
    return path


def collection_map(path: Path, limit: int, stack: Stack, console: Console) -> Map:
    """Write the map of at most `limit` points to `path`, as `check_map` makes it.

    Raises WrongUse for an empty collection and a file that cannot be written.
    """
    from producer.pages.projection import lay_out

    facts = filled_collection(stack)
    with console.status("reading the collection"):
        rows, vectors = _sample(stack, limit)
    with console.status(f"laying out {len(rows):,} pictures"):
        layout = lay_out(vectors)
    with console.status("making thumbnails"):
        jpegs = thumbnails([row["uri"] for row in rows[:THUMBNAILS]], THUMBNAIL)
    data = _data(rows, layout, [jpegs[row["uri"]] for row in rows[:THUMBNAILS]])
    with replacing(path, PAGE) as part:
        part.write_text(map_page(facts["name"], facts["points"], data), encoding="utf-8")
    return Map(
        file=str(path),
        points=len(rows),
        of=facts["points"],
        clusters=len(data["labels"]),
        thumbnails=len(data["thumbnails"]),
        bytes=path.stat().st_size,
    )


def map_page(collection: str, points: int, data: dict[str, Any]) -> str:
    """The page as text; captions and names may hold anything, all of it is shown and none of it is markup."""
    count = len(data["uris"])
    pictures = f"{count:,}" if count == points else f"{count:,} of {points:,}"
    return render("map.html", collection=collection, pictures=pictures, data=data)


def _sample(stack: Stack, limit: int) -> "tuple[Rows, NDArray[np.float32]]":
    """The payloads of at most `limit` points, and their vectors (points, dim)."""
    import numpy as np

    rows: Rows = []
    vectors = []
    # The ids are hashes, so the first ones in their order are a fair sample of all.
    for page in pages(stack, None, FIELDS, with_vectors=True):
        rows += page.payloads
        vectors.append(np.frombuffer(page.vectors, dtype="<f4").reshape(-1, page.dim))
        if len(rows) >= limit:
            break
    return rows[:limit], np.concatenate(vectors)[:limit]


def _data(rows: Rows, layout: "Layout", jpegs: Sequence[bytes | None]) -> dict[str, Any]:
    """What the script of the page draws; `jpegs` are the thumbnails of the first rows."""
    import numpy as np

    from producer.pages.projection import cluster_labels

    captions = [row.get("caption") or "" for row in rows]
    labels = []
    for cluster, text in enumerate(cluster_labels(captions, layout.clusters.tolist())):
        x, y = np.median(layout.places[layout.clusters == cluster], axis=0) * SPAN
        labels.append({"text": text, "cluster": cluster, "x": float(x), "y": float(y)})
    return {
        "places": _base64(np.round(layout.places * SPAN).astype("<u2").tobytes()),
        "clusters": _base64(layout.clusters.astype(np.uint8).tobytes()),
        "labels": labels,
        "uris": [row["uri"] for row in rows],
        "names": [shown(row["uri"]) for row in rows],
        "captions": captions,
        "thumbnails": {number: _base64(jpeg) for number, jpeg in enumerate(jpegs) if jpeg is not None},
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
