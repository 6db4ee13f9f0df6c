"""The collection as a picture: one page on which pictures that look alike lie close together."""

import base64
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pictures.thumbnail_store import kept_here
from pictures.thumbnails import require_decoder, thumbnails
from producer.collection.filled import filled_collection
from producer.formatting import shown
from producer.output_file import check_output, replacing
from producer.pages.layout import PlacedPictures, placed_pictures, require_layout
from producer.pages.rendering import PAGE, render, require_jinja
from producer.stack import Stack
from settings import load_settings

# Pictures inside the page, some 3 kB each; the others are read from their files while the mouse is over them.
THUMBNAILS = 1500
THUMBNAIL = 128


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
    require_layout()
    return path


def collection_map(path: Path, limit: int, stack: Stack, console: Console) -> Map:
    """Write the map of at most `limit` points to `path`, as `check_map` makes it.

    Raises WrongUse for an empty collection and a file that cannot be written.
    """
    facts = filled_collection(stack)
    with console.status("laying out the collection"):
        placed = placed_pictures(stack, limit)
    rows = placed.rows
    with console.status("making thumbnails"):
        jpegs = thumbnails(rows[:THUMBNAILS], THUMBNAIL, kept_here(load_settings()))
    data = _data(placed, [jpegs[row["uri"]] for row in rows[:THUMBNAILS]])
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


def _data(placed: PlacedPictures, jpegs: Sequence[bytes | None]) -> dict[str, Any]:
    """What the script of the page draws; `jpegs` are the thumbnails of the first pictures."""
    rows = placed.rows
    return {
        "places": _base64(placed.places),
        "clusters": _base64(placed.clusters),
        "labels": [label.to_dict() for label in placed.labels],
        "uris": [row["uri"] for row in rows],
        "names": [shown(row["uri"]) for row in rows],
        "captions": [row.get("caption") or "" for row in rows],
        "thumbnails": {number: _base64(jpeg) for number, jpeg in enumerate(jpegs) if jpeg is not None},
    }


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
