"""The facts that EXIF tells of a picture, as payload fields."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

_IFD = ExifTags.IFD
_BASE = ExifTags.Base
_GPS = ExifTags.GPS


def facts_of(image: Image.Image) -> dict[str, Any]:
    """taken_at (ISO 8601, with offset where the camera gave one), camera, lens and gps {"lat", "lon"}.

    What is missing is left out, and so is what cannot be read: broken EXIF is no reason to lose a picture.
    """
    readers: dict[str, Callable[[Image.Exif], Any]] = {
        "taken_at": lambda exif: _taken_at(exif.get_ifd(_IFD.Exif), exif),
        "camera": lambda exif: _camera(_text(exif.get(_BASE.Make)), _text(exif.get(_BASE.Model))),
        "lens": lambda exif: _text(exif.get_ifd(_IFD.Exif).get(_BASE.LensModel)),
        "gps": lambda exif: _position(exif.get_ifd(_IFD.GPSInfo)),
    }
    facts = {}
    for name, reader in readers.items():
        # Pillow decodes a tag when it is asked for, so each fact may fail by itself.
        with suppress(Exception):
            facts[name] = reader(image.getexif())
    return {name: value for name, value in facts.items() if value}


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where there is none or it makes no sense."""
    try:
        value = image.getexif().get(_BASE.Orientation, 1)
    except Exception:  # any error here is the broken EXIF of one picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.replace("\x00", " ").split())[:200]


def _camera(make: str, model: str) -> str:
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def _taken_at(detail: Mapping[int, Any], exif: Mapping[int, Any]) -> str | None:
    text = _text(detail.get(_BASE.DateTimeOriginal) or exif.get(_BASE.DateTime))
    offset = _text(detail.get(_BASE.OffsetTimeOriginal))
    if len(text) < 19 or not text[:4].isdigit() or text.startswith("0000"):
        return None
    moment = f"{text[:10].replace(':', '-')}T{text[11:19]}"
    for candidate in (moment + offset, moment):
        with suppress(ValueError):
            return datetime.fromisoformat(candidate).isoformat()
    return None


def _position(place: Mapping[int, Any]) -> dict[str, float] | None:
    try:
        latitude = _degrees(place[_GPS.GPSLatitude]) * (-1 if place.get(_GPS.GPSLatitudeRef) == "S" else 1)
        longitude = _degrees(place[_GPS.GPSLongitude]) * (-1 if place.get(_GPS.GPSLongitudeRef) == "W" else 1)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, IndexError):
        return None
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude == 0 and longitude == 0):
        return None
    return {"lat": latitude, "lon": longitude}


def _degrees(parts: Any) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    return degrees + minutes / 60 + seconds / 3600
