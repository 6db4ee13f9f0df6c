"""The metadata of a picture as payload fields: facts from EXIF, titles and keywords from XMP or IPTC."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from defusedxml import ElementTree
from PIL import ExifTags, Image, ImageFile, IptcImagePlugin

_IFD = ExifTags.IFD
_BASE = ExifTags.Base
_GPS = ExifTags.GPS


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened picture, as much as can be read; empty if there is none."""
    for _ in range(2):
        # If Pillow fails on a part, a second call returns the rest.
        with suppress(Exception):
            return image.getexif()
    return Image.Exif()


def facts_of(exif: Image.Exif) -> dict[str, Any]:
    """The facts in EXIF, under their names in the payload.

    taken_at (ISO 8601, with the offset if the camera wrote one), camera, lens, exposure (seconds), aperture (f-number),
    iso, focal_length (millimetres, of the lens itself) and gps {"lat", "lon"} (degrees). A fact that is
    missing, unreadable or impossible is left out: broken EXIF is no reason to refuse a picture.
    """
    if not exif:
        return {}
    readers: dict[str, Callable[[Mapping[int, Any]], Any]] = {
        "taken_at": lambda detail: _taken_at(detail, exif),
        "camera": lambda detail: _camera(_text(exif.get(_BASE.Make)), _text(exif.get(_BASE.Model))),
        "lens": lambda detail: _text(detail.get(_BASE.LensModel)),
        "exposure": lambda detail: _number(detail.get(_BASE.ExposureTime), 86_400),
        "aperture": lambda detail: _number(detail.get(_BASE.FNumber), 1_000),
        "iso": lambda detail: int(_number(detail.get(_BASE.ISOSpeedRatings), 100_000_000) or 0),
        "focal_length": lambda detail: _number(detail.get(_BASE.FocalLength), 100_000),
        "gps": lambda detail: _position(exif.get_ifd(_IFD.GPSInfo)),
    }
    facts = {}
    for name, reader in readers.items():
        # Pillow decodes a tag when it is read, so each fact may fail alone.
        with suppress(Exception):
            facts[name] = reader(_detail(exif))
    return {name: value for name, value in facts.items() if value}


def orientation_of(exif: Image.Exif) -> int:
    """The EXIF orientation, 1 (upright) if there is none or it is invalid."""
    try:
        value = exif.get(_BASE.Orientation, 1)
    except Exception:  # broken EXIF may raise anything
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _detail(exif: Image.Exif) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(_IFD.Exif)
    except Exception:  # the camera and the position are in other directories, which may be sound
        return {}


def _number(value: Any, maximum: float) -> float | None:
    """A number above 0 and up to `maximum`, rounded to six digits; None for any other."""
    if isinstance(value, tuple):
        value = value[0]
    number = float(value)
    return float(f"{number:.6g}") if 0 < number <= maximum else None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    text = "" if value is None else str(value).encode("utf-8", "replace").decode("utf-8")
    return " ".join(text.replace("\x00", " ").split())[:200]


def _camera(make: str, model: str) -> str:
    return model if model.lower().startswith(make.lower()) else f"{make} {model}".strip()


def _taken_at(detail: Mapping[int, Any], exif: Mapping[int, Any]) -> str | None:
    original = detail.get(_BASE.DateTimeOriginal)
    offset = _text(detail.get(_BASE.OffsetTimeOriginal if original else _BASE.OffsetTime))
    text = _text(original or exif.get(_BASE.DateTime))
    if len(text) < 19 or not text[:4].isdigit() or text.startswith("0000"):
        return None
    time = f"{text[:10].replace(':', '-')}T{text[11:19]}"
    for candidate in (time + offset, time):
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


# A megabyte holds years of editing history; reading a larger packet could cost more than the picture.
MAX_XMP_BYTES = 1_000_000
MAX_TITLE, MAX_DESCRIPTION, MAX_KEYWORD, MAX_KEYWORDS = 300, 3000, 100, 200

_DC = "{http://purl.org/dc/elements/1.1/}"
_LI = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}li"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
# Data sets of IPTC-IIM 4.2: coded character set, object name, keywords, caption.
_CHARSET, _TITLE, _KEYWORDS, _CAPTION = (1, 90), (2, 5), (2, 25), (2, 120)
_UTF8 = b"\x1b%G"


def description_of(image: Image.Image) -> dict[str, Any]:
    """title, description (both str) and keywords (list of str) of an opened picture.

    A field that is missing, unreadable or hostile is left out: it is no reason to refuse a picture. XMP wins over IPTC.
    """
    fields: dict[str, Any] = {}
    sources: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: _from_iptc(image),
        lambda: from_xmp(image.info.get("xmp")),
    )
    for source in sources:
        with suppress(Exception):
            fields |= source()
    return fields


def from_xmp(packet: object) -> dict[str, Any]:
    """The same fields of an XMP packet; raises what the parser raises if it is broken or declares entities."""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or not packet or len(packet) > MAX_XMP_BYTES:
        return {}
    tree = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)

    def items(name: str) -> list[tuple[str, str]]:
        """(language, text) of all items of the property."""
        elements = [item for element in tree.iter(_DC + name) for item in element.iter(_LI)]
        return [(item.get(_LANG, ""), item.text or "") for item in elements]

    def text(name: str) -> str:
        texts = items(name)
        return next((text for language, text in texts if language == "x-default"), texts[0][1] if texts else "")

    return _fields(text("title"), text("description"), [text for _, text in items("subject")])


def _from_iptc(image: Image.Image) -> dict[str, Any]:
    records = IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None
    if not records:
        return {}
    utf8 = records.get(_CHARSET) == _UTF8

    def texts(key: tuple[int, int]) -> list[str]:
        values = records.get(key, [])
        return [_decoded(value, utf8) for value in (values if isinstance(values, list) else [values])]

    title, caption = (next(iter(texts(key)), "") for key in (_TITLE, _CAPTION))
    return _fields(title, caption, texts(_KEYWORDS))


def _decoded(value: bytes, utf8: bool) -> str:
    # Few old programs wrote the character set; UTF-8 is recognised by its bytes, the others are mostly cp1252.
    with suppress(UnicodeDecodeError):
        return value.decode("utf-8")
    return value.decode("utf-8" if utf8 else "cp1252", "replace")


def _fields(title: str, description: str, keywords: Iterable[str]) -> dict[str, Any]:
    unique = dict.fromkeys(line for line in (_line(keyword, MAX_KEYWORD) for keyword in keywords) if line)
    fields = {
        "title": _line(title, MAX_TITLE),
        "description": _line(description, MAX_DESCRIPTION),
        "keywords": list(unique)[:MAX_KEYWORDS],
    }
    return {name: value for name, value in fields.items() if value}


def _line(text: str, max_length: int) -> str:
    valid = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(valid.split())[:max_length]
