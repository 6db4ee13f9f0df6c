"""The facts that a file tells of its picture, as payload fields: EXIF, and what people wrote into XMP or IPTC."""

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
    """The EXIF of an opened picture, as much as can be read; empty where there is none."""
    for _ in range(2):
        # Where Pillow fails over a part, it hands out the rest when it is asked again.
        with suppress(Exception):
            return image.getexif()
    return Image.Exif()


def facts_of(exif: Image.Exif) -> dict[str, Any]:
    """The facts that EXIF tells, under the names they have in the payload.

    taken_at (ISO 8601, with offset where the camera gave one), camera, lens, exposure (seconds), aperture (f-number),
    iso, focal_length (millimetres, of the lens itself) and gps {"lat", "lon"} (degrees). What is missing is left out,
    and so is what cannot be read or cannot be: broken EXIF is no reason to lose a picture.
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
        # Pillow decodes a tag when it is asked for, so each fact may fail by itself.
        with suppress(Exception):
            facts[name] = reader(_detail(exif))
    return {name: value for name, value in facts.items() if value}


def orientation_of(exif: Image.Exif) -> int:
    """The EXIF orientation, 1 (upright) where there is none or it makes no sense."""
    try:
        value = exif.get(_BASE.Orientation, 1)
    except Exception:  # any error here is the broken EXIF of one picture
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _detail(exif: Image.Exif) -> Mapping[int, Any]:
    try:
        return exif.get_ifd(_IFD.Exif)
    except Exception:  # the camera's name and the place lie elsewhere and may be sound
        return {}


def _number(value: Any, most: float) -> float | None:
    """A number above 0 and up to `most`, rounded to what a camera can mean; None for what is none."""
    if isinstance(value, tuple):
        value = value[0]
    number = float(value)
    return float(f"{number:.6g}") if 0 < number <= most else None


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


# A packet of a megabyte holds years of editing history; reading a larger one would cost more than the picture.
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

    What is missing is left out, and so is what cannot be read or is hostile: it is no reason to lose a picture. Each
    field is taken from XMP where that has it, else from IPTC.
    """
    found: dict[str, Any] = {}
    sources: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: _from_iptc(image),
        lambda: from_xmp(image.info.get("xmp")),
    )
    for source in sources:
        with suppress(Exception):
            found |= source()
    return found


def from_xmp(packet: object) -> dict[str, Any]:
    """The same of an XMP packet; raises whatever the parser raises over one that is broken or declares entities."""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or not packet or len(packet) > MAX_XMP_BYTES:
        return {}
    tree = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"), forbid_dtd=True)

    def items(name: str) -> list[tuple[str, str]]:
        """Language and text of the items of each property of this name."""
        lists = [list(holder.iter(_LI)) for holder in tree.iter(_DC + name)]
        return [(item.get(_LANG, ""), item.text or "") for each in lists for item in each]

    def text(name: str) -> str:
        every = items(name)
        return next((text for language, text in every if language == "x-default"), every[0][1] if every else "")

    return _tidy(text("title"), text("description"), [text for _, text in items("subject")])


def _from_iptc(image: Image.Image) -> dict[str, Any]:
    records = IptcImagePlugin.getiptcinfo(image) if isinstance(image, ImageFile.ImageFile) else None
    if not records:
        return {}
    utf8 = records.get(_CHARSET) == _UTF8

    def texts(key: tuple[int, int]) -> list[str]:
        values = records.get(key, [])
        return [_decoded(value, utf8) for value in (values if isinstance(values, list) else [values])]

    title, caption = (next(iter(texts(key)), "") for key in (_TITLE, _CAPTION))
    return _tidy(title, caption, texts(_KEYWORDS))


def _decoded(value: bytes, utf8: bool) -> str:
    # Few programs of old said which characters they wrote; UTF-8 is told by itself, the rest was mostly Western.
    with suppress(UnicodeDecodeError):
        return value.decode("utf-8")
    return value.decode("utf-8" if utf8 else "cp1252", "replace")


def _tidy(title: str, description: str, keywords: Iterable[str]) -> dict[str, Any]:
    words = dict.fromkeys(word for word in (_line(keyword, MAX_KEYWORD) for keyword in keywords) if word)
    found = {
        "title": _line(title, MAX_TITLE),
        "description": _line(description, MAX_DESCRIPTION),
        "keywords": list(words)[:MAX_KEYWORDS],
    }
    return {name: value for name, value in found.items() if value}


def _line(text: str, longest: int) -> str:
    sound = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    return " ".join(sound.split())[:longest]
