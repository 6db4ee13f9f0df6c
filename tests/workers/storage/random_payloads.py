"""Payloads as ingests of all kinds leave them, drawn by Hypothesis: fields may be missing or null."""

from typing import Any

from hypothesis import strategies as st

CAMERAS = ["Canon EOS R5", "canon powershot", "NIKON D850", "X100", "Kämera [1]*"]
LENSES = ["EF50mm f/1.8 STM", "24-70mm", "50"]
FORMATS = ["JPEG", "PNG", "HEIF"]
KEYWORDS = ["holiday", "Holiday 2024", "sea", "Ä", "A\u0308", "Straße", "京都"]
FOLDERS = ["/p/2023", "/p/2024", "/p/2024/ä b", "/p/20245", "/q"]
NAMES = ["IMG_1.jpg", "IMG_12.jpg", "img_1.jpg", "a*b.png", "é.jpg", "e\u0301.jpg"]
WORDS = ["red", "circle", "Circle", "circles", "blue-green", "ÉTÉ", "été", "e\u0301te\u0301", "ete", "50"]
WORDS += ["Straße", "STRASSE", "İzmir", "izmir", "京都", "京都の紅葉", "紅葉", "서울에서", "서울", "กรุงเทพ"]
TIMES = [
    "2023-12-31T23:30:00",
    "2024-01-01T00:00:00",
    "2024-01-01T00:30:00+02:00",
    "2024-05-31T14:00:30",
    "2024-05-31T14:00:30.500000",
    "2025-01-01T00:00:00-05:00",
]
LOCAL_TIMES = ["2023-12-31T23:30:00", "2024-01-01T00:30:00", "2024-01-01", "2024-05-31T14:00:30"]
LABELS = ["Red", "Rot", "50"]
NUMBERS = [0, 1, 100, 799, 800, 801, 4000, 20_000_000, 20_000_001]
MEASURES = [0.004, 1 / 250, 0.00401, 1.8, 2.8, 2.79, 2.9, 200.0, 50]
PLACES = [(52.52, 13.405), (52.60, 13.405), (-33.87, 151.21), (0.0, 179.99), (0.0, -179.99)]


def sentences() -> st.SearchStrategy[str]:
    """Some words, with what may stand between them."""
    return st.lists(st.sampled_from(WORDS), max_size=4).map(", ".join)


def payloads() -> st.SearchStrategy[dict[str, Any]]:
    """One payload; `folder` and `file` make its uri and name."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "camera": st.sampled_from([*CAMERAS, None]),
        "lens": st.sampled_from([*LENSES, None]),
        "format": st.sampled_from(FORMATS),
        "keywords": st.lists(st.sampled_from(KEYWORDS), max_size=3, unique=True),
        "taken_at": st.sampled_from(TIMES),
        "taken_local": st.sampled_from(LOCAL_TIMES),
        "rating": st.sampled_from([-1, 1, 4, 5, 100]),
        "label": st.sampled_from(LABELS),
        "gps": st.sampled_from(PLACES).map(lambda place: {"lat": place[0], "lon": place[1]}),
        "caption": sentences(),
        "title": sentences(),
        "description": sentences(),
        "width": st.sampled_from(NUMBERS),
        "height": st.sampled_from(NUMBERS),
        "bytes": st.sampled_from(NUMBERS),
        "iso": st.sampled_from(NUMBERS),
        "aperture": st.sampled_from(MEASURES),
        "exposure": st.sampled_from(MEASURES),
        "focal_length": st.sampled_from(MEASURES),
        "sha256": st.sampled_from(["00", "ff"]),
    }
    return st.fixed_dictionaries({"folder": st.sampled_from(FOLDERS), "name": st.sampled_from(NAMES)}, optional=fields)
