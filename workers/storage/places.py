"""Names of places from coordinates, without a network: the nearest town, the nearest large city, region and country.

The library brings the towns of GeoNames with a thousand people and more: 3.5 MB, and some 170 MB of memory once a
picture has coordinates. It knows points and no borders, so near a border the country may be the other one.
"""

import logging
import math
from collections.abc import Sequence
from typing import Any

from settings.extras import install_hint
from workers.storage.catalog import Catalog
from workers.storage.rewrite import rewrite

log = logging.getLogger("darkroom.storage")

# Farther from any town than this nobody says that a picture was taken there: at sea, in a desert.
MOST_KM = 50.0
# A district of a large city is a town to GeoNames; the city is told as well, this far from its middle.
CITY_PEOPLE, CITY_KM = 100_000, 15.0
EARTH_KM = 6371.0
PAGE_POINTS = 256
_is_missing = False


def with_places(payloads: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The payloads, those with coordinates also with their `place` and `places` where there is a town near by.

    `place` is {"town", "city", "region", "country", "country_code"}, each where it is known; `places` are the names.
    """
    rows = [number for number, payload in enumerate(payloads) if _coordinates(payload.get("gps"))]
    if not rows:
        return list(payloads)
    found = dict(zip(rows, places([_coordinates(payloads[row].get("gps")) or (0, 0) for row in rows]), strict=True))
    return [{**payload, **(found.get(number) or {})} for number, payload in enumerate(payloads)]


def places(coordinates: Sequence[tuple[float, float]]) -> list[dict[str, Any] | None]:
    """What `with_places` adds for each latitude and longitude, in degrees; None far from everywhere."""
    global _is_missing
    if not coordinates or _is_missing:
        return [None] * len(coordinates)
    try:
        # Imported when the first picture with coordinates comes: it reads all towns of the world, for a second.
        import reverse_geocode
    except ImportError:
        _is_missing = True
        log.warning("Places have no names, for a package is not installed: run %s.", install_hint("storage"))
        return [None] * len(coordinates)
    towns = reverse_geocode.search(coordinates)
    cities = reverse_geocode.GeocodeData(CITY_PEOPLE).query(coordinates)
    return [_place(*each) for each in zip(coordinates, towns, cities, strict=True)]


def _place(where: tuple[float, float], town: dict[str, Any], city: dict[str, Any]) -> dict[str, Any] | None:
    if _kilometres(where, town) > MOST_KM:
        return None
    place = {"town": town["city"]}
    if _kilometres(where, city) <= CITY_KM and city["country_code"] == town["country_code"]:
        place["city"] = city["city"]
    named = {"region": town.get("state"), "country": town.get("country"), "country_code": town["country_code"]}
    place |= {name: value for name, value in named.items() if value}
    # The county is named as the city in many countries, and is what people call the place.
    names = [place["town"], place.get("city"), town.get("county"), place.get("region"), place.get("country")]
    return {"place": place, "places": list(dict.fromkeys(name for name in names if name))}


def _coordinates(gps: Any) -> tuple[float, float] | None:
    return (gps["lat"], gps["lon"]) if isinstance(gps, dict) and {"lat", "lon"} <= gps.keys() else None


def _kilometres(where: tuple[float, float], town: dict[str, Any]) -> float:
    """The way over the globe, by the haversine formula."""
    lat, lon, town_lat, town_lon = map(math.radians, (*where, town["latitude"], town["longitude"]))
    half = (
        math.sin((town_lat - lat) / 2) ** 2 + math.cos(lat) * math.cos(town_lat) * math.sin((town_lon - lon) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(min(1.0, math.sqrt(half)))


class LatePlaces:
    """Adds names to the places of points that an earlier release has stored, page by page."""

    def __init__(self) -> None:
        self._is_done = False
        self._after: str | None = None

    def step(self, store: Catalog) -> bool:
        """Look at the next points; False once all have been looked at."""
        if self._is_done or store.clip_model() is None:
            return False
        nameless = {"all": [{"field": "gps", "exists": True}], "none": [{"field": "places", "exists": True}]}
        if self._after is None and not store.count(nameless):
            self._is_done = True
            return False
        points, self._after = store.scroll(nameless, PAGE_POINTS, self._after, with_vectors=True)
        named = with_places([point.payload for point in points])
        rewrite(store, [(point, payload) for point, payload in zip(points, named, strict=True) if "places" in payload])
        self._is_done = self._after is None
        return not self._is_done
