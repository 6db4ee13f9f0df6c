"""One contract for both homes of the catalog; conftest.py says what stands in for a server."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from settings.errors import DarkroomError, WrongUse
from tests.workers.storage.pictures import DIM, MODEL, PREPROCESSING, identity, picture
from workers.storage.catalog import BadPoint, Catalog, ModelMismatch, Point


def test_before_it_is_ensured_everything_reads_as_empty(empty: Catalog) -> None:
    assert empty.clip_model() is None
    empty.check_model("any")
    assert empty.count() == 0
    assert empty.payloads([identity(1)], ["bytes"]) == {}
    assert empty.by_content(["00"], MODEL, PREPROCESSING) == {}
    assert empty.search(picture(1).vector, 5) == []
    assert empty.scroll(None, 5) == ([], None)
    assert empty.facet("format") == {}
    empty.delete([identity(1)])
    empty.maintain()
    with pytest.raises(DarkroomError, match="ensure"):
        empty.upsert([picture(1)])


def test_it_remembers_its_model_and_refuses_others_by_name(catalog: Catalog) -> None:
    catalog.ensure(DIM, MODEL)
    catalog.check_model(MODEL)
    assert catalog.clip_model() == MODEL
    with pytest.raises(ModelMismatch, match=r"(pictures|darkroom-tests)'.*shapes-clip.*other/clip.*qdrant.collection"):
        catalog.ensure(DIM, "other/clip")
    with pytest.raises(ModelMismatch, match="other/clip"):
        catalog.check_model("other/clip")
    with pytest.raises(ModelMismatch, match=rf"{DIM} numbers.*{DIM + 1}"):
        catalog.ensure(DIM + 1, MODEL)


def test_a_point_comes_back_as_it_went_in(catalog: Catalog) -> None:
    catalog.upsert([picture(3)])
    (point,), following = catalog.scroll(None, 10, with_vectors=True)
    assert following is None
    assert point.id == identity(3)
    assert point.payload == picture(3).payload
    assert point.vector.dtype == np.float32
    np.testing.assert_allclose(point.vector, picture(3).vector, atol=1e-6)


def test_a_second_upsert_replaces_the_whole_point(catalog: Catalog) -> None:
    catalog.upsert([picture(1, extra="old")])
    catalog.upsert([picture(1, caption="new")])
    (point,), _ = catalog.scroll(None, 10)
    assert point.payload == picture(1).payload | {"caption": "new"}
    assert point.vector.shape == (0,)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (Point(identity(2), np.ones(DIM + 1, dtype=np.float32), {"uri": "file:///bad.jpg"}), r"bad\.jpg.*shape"),
        (Point(identity(2), np.full(DIM, np.nan, dtype=np.float32), {"uri": "file:///bad.jpg"}), r"bad\.jpg.*finite"),
        (Point("no-uuid", np.ones(DIM, dtype=np.float32), {}), "no-uuid.*UUID"),
        (picture(2, width=float("nan")), r"2\.jpg.*JSON"),
        (picture(2, width=2**63), r"2\.jpg.*64 bits"),
        (picture(2, facts={"sizes": [1, -(2**70)]}), r"2\.jpg.*64 bits"),
    ],
)
def test_one_bad_point_leaves_its_whole_batch_unwritten(catalog: Catalog, bad: Point, reason: str) -> None:
    with pytest.raises(BadPoint, match=reason):
        catalog.upsert([picture(1), bad, picture(3)])
    assert catalog.count() == 0


def test_an_empty_batch_is_fine(catalog: Catalog) -> None:
    catalog.upsert([])
    catalog.delete([])
    assert catalog.by_content([], MODEL, PREPROCESSING) == {}
    assert catalog.payloads([], ["bytes"]) == {}


def test_known_gives_the_asked_fields_of_those_that_exist(filled: Catalog) -> None:
    known = filled.payloads([identity(2), identity(99), identity(5)], ["bytes", "mtime"])
    assert known == {
        identity(2): {"bytes": 1002, "mtime": 1_700_000_000_000_000_002},
        identity(5): {"bytes": 1005, "mtime": 1_700_000_000_000_000_005},
    }
    assert filled.payloads([identity(2)], []) == {identity(2): {}}


def test_known_takes_a_thousand_ids(filled: Catalog) -> None:
    assert len(filled.payloads([identity(number) for number in range(1000)], ["bytes"])) == 10


def test_content_is_found_with_its_vector_whatever_the_copies_of_others(filled: Catalog) -> None:
    filled.upsert([picture(number, sha256="aa") for number in range(100, 140)])
    found = filled.by_content(["aa", f"{7:064x}", "missing", "aa"], MODEL, PREPROCESSING)
    assert set(found) == {"aa", f"{7:064x}"}
    assert found["aa"].payload["sha256"] == "aa"
    assert found[f"{7:064x}"].id == identity(7)
    np.testing.assert_allclose(found[f"{7:064x}"].vector, picture(7).vector, atol=1e-6)


def test_nothing_is_known_of_no_content(filled: Catalog) -> None:
    assert filled.by_content([], MODEL, PREPROCESSING) == {}


def test_content_of_another_model_or_preprocessing_is_not_reused(filled: Catalog) -> None:
    assert filled.by_content([f"{7:064x}"], "other/clip", PREPROCESSING) == {}
    assert filled.by_content([f"{7:064x}"], MODEL, "2") == {}


def test_content_in_float32_will_do_for_int8_and_not_the_other_way_round(filled: Catalog) -> None:
    filled.upsert([picture(50, sha256="ee", preprocessing=f"{PREPROCESSING}+int8")])
    wanted = ["ee", f"{7:064x}"]
    assert set(filled.by_content(wanted, MODEL, f"{PREPROCESSING}+int8")) == set(wanted)
    assert set(filled.by_content(wanted, MODEL, PREPROCESSING)) == {f"{7:064x}"}


def test_search_has_the_nearest_first(filled: Catalog) -> None:
    hits = filled.search(picture(4).vector, 3)
    cosines = {identity(number): float(picture(number).vector @ picture(4).vector) for number in range(10)}
    assert [hit.id for hit in hits] == sorted(cosines, key=lambda each: -cosines[each])[:3]
    assert [hit.score for hit in hits] == pytest.approx(sorted(cosines.values(), reverse=True)[:3], abs=1e-5)
    assert hits[0].payload == picture(4).payload


def test_a_query_of_the_wrong_dimension_is_refused(filled: Catalog) -> None:
    with pytest.raises(WrongUse, match="shape"):
        filled.search(np.ones(3, dtype=np.float32), 3)


def test_scroll_visits_every_point_once(filled: Catalog) -> None:
    seen: list[str] = []
    after: str | None = None
    while True:
        page, after = filled.scroll(None, 4, after)
        assert len(page) <= 4
        seen += [point.id for point in page]
        if after is None:
            break
    assert sorted(seen) == sorted(identity(number) for number in range(10))


def test_facets_count_values_the_most_frequent_first(filled: Catalog) -> None:
    assert filled.facet("format") == {"JPEG": 4, "PNG": 3, "WEBP": 3}
    assert next(iter(filled.facet("format"))) == "JPEG"
    assert filled.facet("format", limit=1) == {"JPEG": 4}
    assert filled.facet("height") == {80: 10}
    with pytest.raises(WrongUse, match=r"caption.*format"):
        filled.facet("caption")


def test_deleted_points_are_gone_and_missing_ones_are_passed_over(filled: Catalog) -> None:
    filled.delete([identity(1), identity(99)])
    assert filled.count() == 9
    assert filled.payloads([identity(1)], ["bytes"]) == {}


def test_threads_may_write_and_read_at_once(catalog: Catalog) -> None:
    batches = [[picture(number) for number in range(start, start + 32)] for start in range(0, 512, 32)]

    def work(batch: list[Point]) -> int:
        catalog.ensure(DIM, MODEL)
        catalog.upsert(batch)
        catalog.search(batch[0].vector, 3)
        return len(catalog.payloads([point.id for point in batch], ["bytes"]))

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, batches)) == [32] * 16
    assert catalog.count() == 512


def test_upkeep_changes_no_answer(filled: Catalog) -> None:
    before = [hit.id for hit in filled.search(picture(4).vector, 10)]
    filled.maintain()
    assert [hit.id for hit in filled.search(picture(4).vector, 10)] == before


def test_closing_twice_is_fine(filled: Catalog) -> None:
    filled.close()
    filled.close()
