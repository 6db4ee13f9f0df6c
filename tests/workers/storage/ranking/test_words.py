"""Points are found by the words of their texts, in both homes, also those that were stored before there were words."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qdrant_edge import Distance, EdgeConfig, EdgeShard, EdgeVectorParams, Point, UpdateOperation

from tests.workers.storage.pictures import DIM, identity, picture
from workers.storage.catalog import Catalog, CollectionInfo
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.embedded.folder import CollectionFolder
from workers.storage.ranking.bm25 import asked_terms
from workers.storage.ranking.hybrid import ranked

TEXTS: dict[int, dict[str, Any]] = {
    0: {"caption": "two dogs on a beach", "name": "IMG_0001.jpg"},
    1: {"caption": "a cat on a sofa", "title": "Café at the beach", "name": "IMG_0002.jpg"},
    2: {"caption": None, "keywords": ["Lisboa", "Straße"], "name": "sunset_over_tejo.jpg"},
    3: {"caption": "a red square left of a blue circle", "name": "3.jpg"},
    4: {"caption": "a blue square left of a red circle", "name": "4.jpg"},
    5: {"caption": "京都の紅葉", "name": "5.jpg"},
}


@pytest.fixture
def worded(catalog: Catalog) -> Catalog:
    """The six pictures above."""
    catalog.upsert([picture(number, **texts) for number, texts in TEXTS.items()])
    return catalog


def by_words(catalog: Catalog, *words: tuple[str, float]) -> list[int]:
    number_of = {identity(number): number for number in range(10)}
    return [number_of[hit.id] for hit in catalog.search_words(asked_terms(words), 10) if hit.score > 0]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("a dog", [0]),
        ("cafe", [1]),
        ("STRASSE", [2]),
        ("tejo", [2]),
        ("a red circle", [4, 3]),
        ("a red square", [3, 4]),
        ("京都", [5]),
        ("the of and", []),
        ("zebra", []),
    ],
)
def test_a_picture_is_found_by_the_words_of_its_texts(worded: Catalog, text: str, numbers: list[int]) -> None:
    assert by_words(worded, (text, 1.0)) == numbers


def test_a_word_that_is_taken_away_counts_against_a_picture(worded: Catalog) -> None:
    assert set(by_words(worded, ("beach", 1.0))) == {0, 1}
    assert by_words(worded, ("beach", 1.0), ("cat", -2.0)) == [0]


def test_words_go_when_the_text_is_changed_or_the_point_is_deleted(worded: Catalog) -> None:
    worded.upsert([picture(0, caption="a boat", name="IMG_0001.jpg")])
    worded.delete([identity(1)])
    assert by_words(worded, ("dog beach cat", 1.0)) == []


def test_by_both_words_lift_what_has_them_and_the_score_stays_the_similarity(worded: Catalog) -> None:
    vector = picture(0).vector
    meaning = ranked(worded, vector, [], 6)
    last = meaning[-1].id
    number = next(number for number in TEXTS if identity(number) == last)
    both = ranked(worded, vector, [(TEXTS[number].get("caption") or "Lisboa", 1.0)], 6)
    assert last in {hit.id for hit in both[:2]}
    assert {hit.id: round(hit.score, 5) for hit in both} == {hit.id: round(hit.score, 5) for hit in meaning}
    assert both[0].payload["uri"]


def test_words_that_nobody_has_leave_the_order_as_it_is(worded: Catalog) -> None:
    vector = picture(3).vector
    assert [hit.id for hit in ranked(worded, vector, [("zebra", 1.0)], 6)] == [
        hit.id for hit in ranked(worded, vector, [], 6)
    ]


def test_the_least_score_and_pages_hold_in_every_ranking(worded: Catalog) -> None:
    vector = picture(3).vector
    whole = ranked(worded, vector, [("beach", 1.0)], 6)
    pages = ranked(worded, vector, [("beach", 1.0)], 3) + ranked(worded, vector, [("beach", 1.0)], 3, offset=3)
    assert [hit.id for hit in pages] == [hit.id for hit in whole]
    assert all(hit.score >= 0.5 for hit in ranked(worded, vector, [("beach", 1.0)], 6, least=0.5))
    assert [hit.id for hit in ranked(worded, vector, [], 6, least=0.99)] == [identity(3)]


def test_a_collection_without_words_gets_them_before_the_first_answer(folder: Path) -> None:
    home = CollectionFolder(folder, "pictures")
    home.create(CollectionInfo(DIM, "model"))
    home.release()
    # As an earlier release made it: with the embedding alone.
    shard_folder = folder / "pictures" / "shard"
    shutil.rmtree(shard_folder)
    shard_folder.mkdir()
    shard = EdgeShard.create(str(shard_folder), EdgeConfig(vectors=EdgeVectorParams(DIM, Distance.Cosine)))
    old = [picture(number, **texts) for number, texts in TEXTS.items()]
    old += [picture(number, name=f"{number}.jpg") for number in range(6, 700)]
    shard.update(UpdateOperation.upsert_points([Point(p.id, p.vector.tolist(), p.payload) for p in old]))
    shard.flush()
    shard.close()
    catalog = EdgeCatalog(folder, "pictures")
    try:
        assert by_words(catalog, ("beach", 1.0)) in ([0, 1], [1, 0])
        (point,), _ = catalog.scroll({"all": [{"field": "name", "is": "699.jpg"}]}, 1, with_vectors=True)
        np.testing.assert_allclose(point.vector, picture(699).vector, atol=1e-6)
        assert not catalog.maintain()
    finally:
        catalog.close()
