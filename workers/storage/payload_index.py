"""Which payload fields are indexed, and how: filters, facets and look-ups by content rest on these."""

from typing import Literal

Kind = Literal["keyword", "integer", "datetime", "geo", "text"]

# The uri has no index: the point's id is made from it, so looking up by id is looking up by uri.
INDEXES: dict[str, Kind] = {
    "root": "keyword",
    "name": "keyword",
    "sha256": "keyword",
    "format": "keyword",
    "camera": "keyword",
    "lens": "keyword",
    "keywords": "keyword",
    "clip_model": "keyword",
    "preprocessing": "keyword",
    "bytes": "integer",
    "mtime": "integer",
    "width": "integer",
    "height": "integer",
    "taken_at": "datetime",
    "gps": "geo",
    "caption": "text",
}
