"""Points that are read, computed anew and written: what others write or delete meanwhile is not undone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.workers.storage.pictures import DIM, identity, picture
from workers.storage.catalog import Catalog
from workers.storage.concepts import label
from workers.storage.places import LatePlaces
from workers.storage.rewrite import rewrite

LISBON = {"lat": 38.7139, "lon": -9.1394}


def name_places(catalog: Catalog) -> None:
    """Give the points of an earlier release the names of their places."""
    LatePlaces().step(catalog)


def name_concepts(catalog: Catalog) -> None:
    """Note of every picture that it shows a cat."""
    label(catalog, ["cat"], np.ones((1, DIM), dtype=np.float32), -10.0, 1, None, 10, None, True)


@pytest.mark.parametrize("change", [name_places, name_concepts])
def test_what_is_deleted_or_stored_anew_while_it_is_looked_at_is_not_undone(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, change: Callable[[Catalog], None]
) -> None:
    catalog.upsert([picture(number, gps=LISBON) for number in range(3)])
    anew = picture(1, gps=LISBON, sha256="f" * 64)
    scroll = catalog.scroll

    def scroll_while_others_write(*arguments: Any, **options: Any) -> Any:
        page = scroll(*arguments, **options)
        catalog.delete([identity(0)])
        catalog.upsert([anew])
        return page

    with monkeypatch.context() as patched:
        patched.setattr(catalog, "scroll", scroll_while_others_write)
        change(catalog)
    held = catalog.payloads([identity(number) for number in range(3)], None)
    assert identity(0) not in held
    assert held[identity(1)] == anew.payload
    assert {"places", "concepts"} & held[identity(2)].keys()


def test_points_that_nobody_else_has_changed_get_their_new_payloads(filled: Catalog) -> None:
    points = filled.points([identity(1), identity(2)], None, with_vectors=True)
    rewrite(filled, [(point, {**point.payload, "rating": 5}) for point in points.values()])
    rated, _ = filled.scroll({"all": [{"field": "rating", "is": 5}]}, 10)
    assert {point.id for point in rated} == {identity(1), identity(2)}
