"""A point as a row of an exported table: the columns, their types, and what becomes of everything else."""

import json
from datetime import UTC, datetime
from typing import Any

from pictures.picture import with_modified_at

# Column -> type, in the order of the file. In Parquet a "moment" is one in UTC and a "time" is by a camera's clock.
# Whatever else a payload holds goes to `other` as JSON, so nothing is lost.
COLUMNS = {
    "id": "text",
    "uri": "text",
    "root": "text",
    "name": "text",
    "sha256": "text",
    "bytes": "whole",
    "mtime": "whole",
    "modified_at": "moment",
    "format": "text",
    "width": "whole",
    "height": "whole",
    "taken_at": "time",
    "camera": "text",
    "lens": "text",
    "exposure": "number",
    "aperture": "number",
    "iso": "whole",
    "focal_length": "number",
    "latitude": "number",
    "longitude": "number",
    "title": "text",
    "description": "text",
    "keywords": "texts",
    "rating": "whole",
    "label": "text",
    "caption": "text",
    "text": "text",
    "clip_model": "text",
    "blip_model": "text",
    "ocr_model": "text",
    "preprocessing": "text",
    "indexed_at": "moment",
    "other": "text",
}


def row_of(identity: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A point as the columns of the table; a column without a value is None."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    other = {}
    place = payload.get("gps")
    for name, value in {"id": identity, **with_modified_at(payload)}.items():
        if name == "gps" and isinstance(place, dict) and {"lat", "lon"} == place.keys():
            row["latitude"], row["longitude"] = place["lat"], place["lon"]
        elif name in COLUMNS and name != "other" and _fits(value, COLUMNS[name]):
            row[name] = value
        elif value is not None:
            other[name] = value
    if other:
        row["other"] = json.dumps(other, ensure_ascii=False, sort_keys=True)
    return row


def _fits(value: Any, kind: str) -> bool:
    """True for a value that a column of this type can hold without changing it."""
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    if kind in ("text", "time", "moment"):
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind == "number" and isinstance(value, float):
        return True
    return isinstance(value, int) and abs(value) < (2**63 if kind == "whole" else 2**53)


def timed_row(row: dict[str, Any]) -> dict[str, Any]:
    """The same row with times in the place of their texts; what is none, and a zone of a camera, goes to `other`."""
    other = json.loads(row["other"] or "{}")
    for name, kind in COLUMNS.items():
        text = row[name]
        if kind not in ("time", "moment") or text is None:
            continue
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            time = None
        if time is None or (kind == "time" and time.tzinfo is not None):
            other[name] = text
        if time is not None:
            time = time.replace(tzinfo=None) if kind == "time" else time.replace(tzinfo=time.tzinfo or UTC)
        row[name] = time
    row["other"] = json.dumps(other, ensure_ascii=False, sort_keys=True) if other else None
    return row
