"""A page with pictures whose names and captions try to break it."""

import io
from typing import Any

from PIL import Image

from producer.pages.contact_sheet import Section, contact_sheet

HOSTILE = [
    "<script>document.title='broken'</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "&amp; &lt;b&gt;",
    "</style></title></h1><b>",
    "a\u202eb\x00\x07\nc \udcff",
    "",
]


def jpeg() -> bytes:
    """A small picture."""
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(out, "JPEG")
    return out.getvalue()


def hostile_page() -> str:
    """Every hostile text as title, heading, caption, camera and file name, one picture without a thumbnail."""
    rows: list[dict[str, Any]] = [
        {"uri": f"file:///p/{number}%3Cb%3E%22%27%FF.jpg", "score": 0.5, "caption": text, "camera": text, "width": 4,
         "height": 3, "format": "JPEG", "bytes": 2_100_000, "taken_at": "2024-05-31T14:00:00"}
        for number, text in enumerate(HOSTILE)
    ]  # fmt: skip
    rows += [{"uri": "javascript:alert(1)"}, {"uri": "s3://bucket/a.jpg", "caption": "a picture elsewhere"}]
    rows += [{"uri": f"file:///p/{'long' * 60}.jpg", "caption": "word" * 60}]
    thumbnails = {row["uri"]: jpeg() for row in rows if row["uri"] != "s3://bucket/a.jpg"}
    sections = [Section("Group " + HOSTILE[0], rows), Section(HOSTILE[1], [])]
    return contact_sheet("Pages " + "".join(HOSTILE), "note " + HOSTILE[4], sections, thumbnails)
