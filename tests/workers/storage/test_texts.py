"""Texts are found as people see them, the same in both homes of the catalog, also those of an earlier release."""

from typing import Any

import pytest

from producer.collection.where import parse_conditions
from tests.workers.storage.pictures import identity, picture
from workers.storage.catalog import WORDS, Catalog

NFD = "Cafe\u0301"
TITLES = {
    0: "京都の紅葉",
    1: "ถนนในกรุงเทพฯ",
    2: "서울에서 찍은 사진",
    3: "Café de Flore",
    4: "Cafe in the square",
    5: "Lange Straße",
    6: "İstanbul",
}
OTHERS: dict[int, dict[str, Any]] = {
    7: {"name": "Café 1.jpg", "keywords": ["Café", "京都"], "camera": "Kämera"},
    8: {"name": "Cafe 2.jpg", "keywords": ["Cafe"], "camera": "Kamera"},
}


@pytest.fixture
def titled(catalog: Catalog) -> Catalog:
    """Nine pictures with the texts above."""
    catalog.upsert([picture(number, title=title) for number, title in TITLES.items()])
    catalog.upsert([picture(number, **facts) for number, facts in OTHERS.items()])
    return catalog


def found(catalog: Catalog, *conditions: str) -> list[int]:
    held = {point.id for point in catalog.scroll(parse_conditions(conditions), 100)[0]}
    return [number for number in range(10) if identity(number) in held]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("title:京都", [0]),
        ("title:紅葉", [0]),
        ("title:กรุงเทพ", [1]),
        ("title:서울", [2]),
        ("title:café", [3]),
        (f"title:{NFD.upper()}", [3]),
        ("title:cafe", [4]),
        ("title:STRASSE", [5]),
        ("title:istanbul", [6]),
        ("title:İSTANBUL", [6]),
        ("title!=京都", [1, 2, 3, 4, 5, 6, 7, 8]),
        ("keywords=café", [7]),
        (f"keywords={NFD}", [7]),
        ("keywords=京都", [7]),
        ("keywords=cafe", [8]),
        ("camera=KÄM*", [7]),
        ("camera=K?mera", [7, 8]),
        ("name=Café*", [7]),
        (f"name={NFD}*", [7]),
        (f"name={NFD} 1.jpg", [7]),
        ("name=Cafe*", [8]),
    ],
)
def test_a_text_is_found_as_people_see_it(titled: Catalog, condition: str, numbers: list[int]) -> None:
    assert found(titled, condition) == numbers


def test_nobody_who_reads_a_point_gets_its_words(titled: Catalog) -> None:
    vector = picture(0).vector
    payloads = [point.payload for point in titled.scroll(None, 100)[0]]
    payloads += [hit.payload for hit in titled.search(vector, 100)]
    sha256 = picture(0).payload["sha256"]
    payloads += [
        point.payload
        for point in titled.by_content(
            [sha256], picture(0).payload["clip_model"], picture(0).payload["preprocessing"]
        ).values()
    ]
    assert len(payloads) == 19
    assert all(WORDS not in payload for payload in payloads)
    assert titled.payloads([identity(0)], [WORDS])[identity(0)][WORDS]


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("caption:circle", [1]),
        ("caption:RED", [0, 1]),
        ("caption!=circle", [0, 2]),
        ("title:café", [2]),
        ("keywords=café", [2]),
        ("name=Café*", [2]),
        ("name=Café.jpg", [2]),
    ],
)
def test_what_an_earlier_release_has_stored_is_found_among_the_new(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, condition: str, numbers: list[int]
) -> None:
    catalog.upsert([picture(0, caption="a red square")])
    with monkeypatch.context() as earlier:
        for home in ("embedded", "server"):
            earlier.setattr(f"workers.storage.{home}.catalog.with_words", lambda payload: payload)
        catalog.upsert([picture(1, caption="a red circle")])
        catalog.upsert([picture(2, caption="a square", title=f"{NFD} de Flore", keywords=[NFD], name=f"{NFD}.jpg")])
    assert found(catalog, condition) == numbers
