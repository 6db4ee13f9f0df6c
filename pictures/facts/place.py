"""Where a picture was taken, in degrees; a place whose half of the globe nobody can tell is no place."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from PIL import ExifTags

from pictures.facts.exif import Tags, text_of
from pictures.facts.xmp import Xmp

_GPS = ExifTags.GPS
_SIGNS = {"N": 1, "NORTH": 1, "S": -1, "SOUTH": -1, "E": 1, "EAST": 1, "W": -1, "WEST": -1}
_NORTH, _EAST = ("N", "S"), ("E", "W")
_NUMBER = r"(\d{1,3}(?:\.\d+)?)"
# 33,30.5S or 33,30,30S or, against the standard, 33.508S (XMP specification, part 2, GPSCoordinate).
_COORDINATE = re.compile(rf"{_NUMBER}(?:,\s*{_NUMBER}(?:,\s*{_NUMBER})?)?\s*([NSEW])", re.ASCII | re.IGNORECASE)


def place_of_exif(tags: Tags) -> dict[str, float] | None:
    """The place in the GPS directory of EXIF, None for none."""
    place = tags.place()
    with suppress(KeyError, TypeError, ValueError, ZeroDivisionError):
        latitude = _degrees(place[_GPS.GPSLatitude], _reference(place, _GPS.GPSLatitudeRef), _NORTH)
        longitude = _degrees(place[_GPS.GPSLongitude], _reference(place, _GPS.GPSLongitudeRef), _EAST)
        return _place(latitude, longitude)
    return None


def place_of_xmp(xmp: Xmp) -> dict[str, float] | None:
    """The place in XMP, None for none."""
    latitude, longitude = (xmp.text(f"exif:GPS{name}").strip() for name in ("Latitude", "Longitude"))
    with suppress(TypeError, ValueError):
        return _place(_coordinate(latitude, _NORTH), _coordinate(longitude, _EAST))
    return None


def _place(latitude: float, longitude: float) -> dict[str, float] | None:
    # 0, 0 lies in the sea: it is what receivers write that have found no place.
    if not (-90 <= latitude <= 90 and -180 <= longitude <= 180) or (latitude == 0 and longitude == 0):
        return None
    return {"lat": latitude, "lon": longitude}


def _reference(place: Mapping[int, Any], tag: int) -> str:
    return text_of(place[tag]).strip(" \0").upper()


def _degrees(parts: Sequence[Any], reference: str, directions: tuple[str, str]) -> float:
    """Degrees, minutes and seconds as degrees; raises ValueError where the reference does not say on which half."""
    degrees, minutes, seconds = (float(part) for part in parts)
    sign = _SIGNS.get(reference)
    if sign is None or reference[0] not in directions:
        raise ValueError(f"{reference!r} is no direction")
    if degrees < 0 < sign:
        raise ValueError("the sign says one half and the reference the other")
    return sign * (abs(degrees) + minutes / 60 + seconds / 3600)


def _coordinate(text: str, directions: tuple[str, str]) -> float:
    form = _COORDINATE.fullmatch(text)
    if form is None:
        raise ValueError(f"{text!r} is no coordinate")
    return _degrees([part or 0 for part in form.groups()[:3]], form[4].upper(), directions)
