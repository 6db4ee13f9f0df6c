"""Coordinates get the names of places, also those of points of earlier releases; none far from everywhere."""

from typing import Any

import pytest

from tests.workers.storage.pictures import identity, picture
from workers.storage.catalog import Catalog
from workers.storage.places import LatePlaces, places, with_places

LISBON = {"lat": 38.7139, "lon": -9.1394}


@pytest.mark.parametrize(
    ("where", "names", "country"),
    [
        ((38.7139, -9.1394), {"Lisbon", "Portugal"}, "PT"),
        ((48.8584, 2.2945), {"Paris", "Île-de-France", "France"}, "FR"),
        ((40.7061, -73.9969), {"New York City", "New York", "United States"}, "US"),
        ((35.0116, 135.7681), {"Kyoto", "Japan"}, "JP"),
        ((38.8029, -9.3817), {"Sintra", "Portugal"}, "PT"),
    ],
)
def test_a_place_has_its_names(where: tuple[float, float], names: set[str], country: str) -> None:
    (found,) = places([where])
    assert found is not None
    assert names <= set(found["places"])
    assert found["place"]["country_code"] == country


@pytest.mark.parametrize("where", [(0.0, -30.0), (-75.0, 0.5), (23.5, 11.0)])
def test_far_from_everywhere_there_is_no_name(where: tuple[float, float]) -> None:
    assert places([where]) == [None]


def test_payloads_without_coordinates_stay_as_they_are() -> None:
    payloads: list[dict[str, Any]] = [{"uri": "a", "gps": None}, {"uri": "b"}, {"uri": "c", "gps": LISBON}]
    a, b, c = with_places(payloads)
    assert [a, b] == payloads[:2]
    assert "Lisbon" in c["places"]


def test_points_of_an_earlier_release_get_their_names_when_it_is_quiet(catalog: Catalog) -> None:
    catalog.upsert([picture(0, gps=LISBON), picture(1, gps=None), picture(2, gps={"lat": 0.0, "lon": -30.0})])
    late = LatePlaces()
    while late.step(catalog):
        pass
    found, _ = catalog.scroll({"all": [{"field": "places", "like": ["lisbon"]}]}, 10)
    assert [point.id for point in found] == [identity(0)]
    assert catalog.facet("places")["Portugal"] == 1
    assert not late.step(catalog)
