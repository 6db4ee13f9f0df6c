"""What is known of a picture, in one short line."""

from collections.abc import Mapping
from typing import Any


def facts_line(row: Mapping[str, Any]) -> str:
    """Size, format, day, camera and bytes, as far as they are known: `400 x 300 · JPEG · 2024-05-31 · X100 · 2 MB`."""
    size = f"{row['width']} x {row['height']}" if row.get("width") and row.get("height") else None
    day = str(row["taken_at"])[:10] if row.get("taken_at") else None
    weight = readable_bytes(row["bytes"]) if row.get("bytes") else None
    return " · ".join(str(part) for part in (size, row.get("format"), day, row.get("camera"), weight) if part)


def readable_bytes(count: int) -> str:
    """A number of bytes as a person reads it, in powers of 1000: "2.1 MB"."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" or number >= 100 else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
