"""The collection as a picture: one page on which pictures that look alike lie close together."""

import base64
import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console

from pictures.thumbnails import require_decoder, thumbnails
from producer.collection.scroll import pages
from producer.formatting import shown
from producer.pages.html_file import check_page_file, write_page
from producer.pages.map_script import SCRIPT
from producer.pages.map_style import STYLE
from producer.stack import attached
from producer.waiting import collection_facts
from settings import Settings
from settings.errors import WrongUse
from settings.extras import require

# A browser draws so many points smoothly; of a larger collection the page shows a fair sample.
POINTS = 100_000
# Pictures inside the page, some 3 kB each; the others are read from their files while the mouse is over them.
THUMBNAILS = 1500
THUMBNAIL = 128
SPAN = 65535
FIELDS = ["uri", "caption"]
# Scripts and styles of the page's own and pictures; nothing is fetched but files that the collection names.
POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: file: http: https:"


def collection_map(
    target: Path, limit: int, settings: Settings, console: Console, report: Callable[[dict[str, Any]], None]
) -> None:
    """Write the map of at most `limit` points to `target`.

    `report` gets {"file", "points", "of", "clusters", "thumbnails", "bytes"} before the stack goes down.

    Raises WrongUse for an empty collection and a file that cannot be written, ServiceMissing where the libraries for it
    are missing.
    """
    path = check_page_file(target)
    require_decoder()
    _require_scikit_learn()
    import numpy as np

    from producer.pages.projection import cluster_labels, layout

    with attached(settings) as stack:
        facts = collection_facts(stack)
        if not facts["points"]:
            raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
        rows: list[dict[str, Any]] = []
        vectors = []
        with console.status("reading the collection"):
            # The ids are hashes, so the first ones in their order are a fair sample of all.
            for page in pages(stack, None, FIELDS, with_vectors=True):
                rows += page.payloads
                vectors.append(np.frombuffer(page.vectors, dtype="<f4").reshape(-1, page.dim))
                if len(rows) >= limit:
                    break
        rows = rows[:limit]
        with console.status(f"laying out {len(rows):,} pictures"):
            laid = layout(np.concatenate(vectors)[:limit])
        labels = cluster_labels([row.get("caption") or "" for row in rows], laid.clusters.tolist())
        with console.status("making thumbnails"):
            small = thumbnails([row["uri"] for row in rows[:THUMBNAILS]], THUMBNAIL)
        marks = []
        for cluster, text in enumerate(labels):
            middle = np.median(laid.places[laid.clusters == cluster], axis=0) * SPAN
            marks.append({"text": text, "cluster": cluster, "x": float(middle[0]), "y": float(middle[1])})
        data = {
            "places": base64.b64encode(np.round(laid.places * SPAN).astype("<u2").tobytes()).decode(),
            "clusters": base64.b64encode(laid.clusters.astype(np.uint8).tobytes()).decode(),
            "labels": marks,
            "uris": [row["uri"] for row in rows],
            "names": [shown(row["uri"]) for row in rows],
            "captions": [row.get("caption") or "" for row in rows],
            "thumbnails": {
                number: base64.b64encode(jpeg).decode()
                for number, row in enumerate(rows[:THUMBNAILS])
                if (jpeg := small.get(row["uri"])) is not None
            },
        }
        write_page(path, page_of(facts["name"], facts["points"], data))
        report(
            {
                "file": str(path),
                "points": len(rows),
                "of": facts["points"],
                "clusters": len(labels),
                "thumbnails": len(data["thumbnails"]),
                "bytes": path.stat().st_size,
            }
        )


def page_of(collection: str, points: int, data: dict[str, Any]) -> str:
    """The page as text; captions and names may hold anything, all of it is shown and none of it is markup."""
    shown_points = len(data["uris"])
    number = f"{shown_points:,}" if shown_points == points else f"{shown_points:,} of {points:,}"
    # "</script>" in a caption would end the data.
    inside = json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="generator" content="Darkroom">\n'
        f"<title>Map of {escape(collection)} - Darkroom</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<canvas role="img"></canvas>\n<header><h1>{escape(collection)}</h1>\n'
        f"<p>{number} pictures; those that look alike lie close together. Scroll to zoom, drag to move.</p></header>\n"
        '<div id="card"><img alt=""><div class="caption"></div><div class="name"></div></div>\n'
        f'<script type="application/json" id="data">{inside}</script>\n<script>{SCRIPT}</script>\n</body>\n</html>\n'
    )


def _require_scikit_learn() -> None:
    require("sklearn", "map", "A map needs scikit-learn")
