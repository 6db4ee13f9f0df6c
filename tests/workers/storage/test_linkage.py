"""Groups by linkage: no pair of a group is below the threshold, and the rule says which picture is kept."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from settings.errors import WrongUse
from tests.workers.storage.pictures import identity, picture
from workers.storage.catalog import Catalog, Point
from workers.storage.duplicates import linkage as dividing
from workers.storage.duplicates.keep import kept_first
from workers.storage.duplicates.linkage import divided
from workers.storage.duplicates.near import TOLERANCE, Vectors, near_groups
from workers.storage.duplicates.search import DuplicateSearch, _groups


def arc(*degrees: float) -> Vectors:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


CHAIN = arc(0, 10, 20, 30, 40)
NEAR = float(np.cos(np.radians(21)))


def test_a_chain_is_one_group_only_by_single_linkage() -> None:
    whole = list(range(5))
    assert near_groups(CHAIN, NEAR, lambda part: None, lambda: False) == [whole]
    assert divided(CHAIN, whole, NEAR, "single") == [whole]
    groups = divided(CHAIN, whole, NEAR, "complete")
    assert [len(group) for group in groups] == [3, 2]
    assert all((CHAIN[group] @ CHAIN[group].T).min() >= NEAR for group in groups)


@pytest.mark.parametrize("most", [6000, 2])
def test_no_pair_of_a_group_is_below_the_threshold(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(dividing, "MOST_MEMBERS", most)
    dice = np.random.default_rng(3)
    rows = dice.standard_normal((12, 8))[dice.integers(0, 12, 400)] + 0.25 * dice.standard_normal((400, 8))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    chains = near_groups(rows, 0.95, lambda part: None, lambda: False)
    groups = [group for chain in chains for group in divided(rows, chain, 0.95, "complete")]
    assert sum(map(len, groups)) > 200
    for group in groups:
        assert (rows[group] @ rows[group].T).min() >= 0.95 - 2 * TOLERANCE
    assert len({member for group in groups for member in group}) == sum(map(len, groups))


def test_average_linkage_is_that_of_scipy() -> None:
    dice = np.random.default_rng(4)
    rows = dice.standard_normal((4, 6))[dice.integers(0, 4, 60)] + 0.3 * dice.standard_normal((60, 6))
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    labels = fcluster(linkage(rows.astype(np.float64), "average", metric="cosine"), 1 - 0.9 + TOLERANCE, "distance")
    expected = {tuple(np.flatnonzero(labels == label)) for label in set(labels)}
    assert {tuple(group) for group in divided(rows, list(range(60)), 0.9, "average")} == {
        group for group in expected if len(group) > 1
    }


FACTS: dict[str, dict[str, Any]] = {
    "small": {"uri": "file:///a/small.jpg", "format": "JPEG", "width": 100, "height": 80, "taken_at": "2020-01-01"},
    "large": {"uri": "file:///b/large.jpg", "format": "JPEG", "width": 400, "height": 300, "taken_at": "2021-01-01"},
    "raw": {"uri": "file:///c/raw.dng", "format": "DNG", "width": 400, "height": 300, "taken_at": "2022-01-01"},
    "unknown": {"uri": "file:///d/unknown.png", "format": "PNG"},
}


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        (["largest"], "large"),
        (["largest", "format"], "raw"),
        (["oldest"], "small"),
        (["format"], "raw"),
        (["folder:file:///d/"], "unknown"),
        (["folder:file:///nowhere/", "oldest"], "small"),
        ([], "small"),
    ],
)
def test_the_rules_say_which_one_is_kept(rules: list[str], first: str) -> None:
    assert kept_first(list(FACTS.values()), rules)[0] == FACTS[first]


def test_a_rule_that_nobody_knows_is_refused() -> None:
    with pytest.raises(WrongUse, match="'newest' is no rule: take largest, oldest, format or a folder"):
        kept_first([FACTS["small"]], ["newest"])


def test_similarities_are_to_the_picture_that_is_kept(catalog: Catalog, tmp_path: Path) -> None:
    own = picture(0)
    turned = own.vector + 0.2 * picture(1).vector
    turned /= np.linalg.norm(turned)
    catalog.upsert([own, Point(identity(5), turned, picture(5, width=9000).payload)])
    groups = DuplicateSearch(catalog, 0.9, None, lambda: False, tmp_path, "complete").find()
    (group,) = _groups(catalog, groups, ["largest"], is_near=True)
    assert [row["uri"] for row in group] == [picture(5).payload["uri"], own.payload["uri"]]
    assert [row["score"] for row in group] == pytest.approx([1.0, float(turned @ own.vector)], abs=1e-5)
