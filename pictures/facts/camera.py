"""The camera, its lens and its settings, as EXIF says them, or else XMP."""

import re
from typing import Any

from PIL import ExifTags

from pictures.facts.exif import Tags, number_in_range
from pictures.facts.lens import lens_of_maker
from pictures.facts.text import line
from pictures.facts.xmp import Xmp

_BASE = ExifTags.Base
_UNIQUE_CAMERA_MODEL = 50708
# What stands behind the name of a maker and is no part of how people call it.
_COMPANY = {
    *("corporation", "corp", "company", "co", "ltd", "limited", "inc", "gmbh", "ag", "kk", "imaging", "optical"),
    *("techwin", "electronics", "electric", "computer", "camera", "ind", "industries"),
}
# How a maker is called that has another name before its own.
_CALLED = {"eastman kodak": "KODAK"}
# A lens that the camera did not know.
_NO_LENS = re.compile(r"[-\s.0()/fm]*|unknown|none|n/?a|no lens", re.IGNORECASE)
# More does not fit into the two bytes of the field, so it refers to another one (EXIF 2.32, 4.6.5).
_ISO_ELSEWHERE = 65535
# Name of the fact: tag of EXIF, property of XMP, maximum.
_MEASURES = {
    "exposure": (_BASE.ExposureTime, "exif:ExposureTime", 86_400),
    "aperture": (_BASE.FNumber, "exif:FNumber", 1_000),
    "focal_length": (_BASE.FocalLength, "exif:FocalLength", 100_000),
}
_MOST_ISO = 100_000_000
_ISO_TAGS = (_BASE.ISOSpeedRatings, _BASE.RecommendedExposureIndex, _BASE.ISOSpeed, _BASE.StandardOutputSensitivity)
_ISO_PROPERTIES = (
    *("exifEX:PhotographicSensitivity", "exif:ISOSpeedRatings"),
    *("exifEX:RecommendedExposureIndex", "exifEX:ISOSpeed", "exifEX:StandardOutputSensitivity"),
)


def camera_facts(tags: Tags, xmp: Xmp) -> dict[str, Any]:
    """camera, lens, exposure (seconds), aperture (f-number), focal_length (millimetres) and iso, as far as known."""
    camera = _camera(tags.text(_BASE.Make), tags.text(_BASE.Model) or tags.text(_UNIQUE_CAMERA_MODEL))
    facts: dict[str, Any] = {
        "camera": camera or _camera(*(line(xmp.text(f"tiff:{name}"), 200) for name in ("Make", "Model"))),
        "lens": _lens(tags, xmp),
        "iso": _iso(tags, xmp),
    }
    for name, (tag, property_, maximum) in _MEASURES.items():
        facts[name] = tags.number(tag, maximum) or _of_text(xmp.text(property_), maximum)
    return facts


def _camera(make: str, model: str) -> str:
    """Make and model as people say them, the make once: NIKON CORPORATION, NIKON Z 6 is NIKON Z 6."""
    words = make.split()
    while len(words) > 1 and set(re.findall(r"\w+", words[-1].lower())) <= _COMPANY:
        words.pop()
    name = " ".join(words).rstrip(",")
    if any(model.lower().startswith(word.lower()) for word in name.split() if len(word) > 1):
        return model
    return f"{_CALLED.get(name.lower(), name)} {model}".strip()


def _lens(tags: Tags, xmp: Xmp) -> str:
    named = (
        tags.text(_BASE.LensModel),
        *(line(xmp.text(name), 200) for name in ("exifEX:LensModel", "aux:Lens")),
        lens_of_maker(tags),
    )
    return next((lens for lens in named if not _NO_LENS.fullmatch(lens)), "")


def _iso(tags: Tags, xmp: Xmp) -> int:
    in_exif = (tags.number(tag, _MOST_ISO) for tag in _ISO_TAGS)
    in_xmp = (_of_text(xmp.text(name), _MOST_ISO) for name in _ISO_PROPERTIES)
    return next((int(iso) for iso in (*in_exif, *in_xmp) if iso and iso != _ISO_ELSEWHERE), 0)


def _of_text(text: str, maximum: float) -> float | None:
    """The number in a text of XMP, which writes 28/10 for 2.8."""
    above, _, below = text.strip().partition("/")
    try:
        return number_in_range(float(above) / float(below or 1), maximum)
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
