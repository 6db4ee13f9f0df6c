"""Search, facets and everything else that only looks, over HTTP."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from models.scenes import Scene
from tests.web.conftest import FILES, HOSTILE, Site


def results(site: Site, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.get("search", **query)["results"]
    return found


def test_words_find_the_picture_that_they_describe(site: Site, scenes: list[Scene]) -> None:
    sentence = scenes[10].sentence
    assert results(site, text=sentence, limit=5)[0]["caption"] == sentence
    found = results(site, text=sentence, limit=5, by="meaning")
    assert sentence in [hit["caption"] for hit in found]
    assert [hit["score"] for hit in found] == sorted((hit["score"] for hit in found), reverse=True)


def test_several_terms_and_a_cut_off_are_asked_for_over_http_but_no_files(site: Site, scenes: list[Scene]) -> None:
    own, one, other = site.ids["plain-10.png"], scenes[13].sentence, scenes[14].sentence
    answer = site.http.post("/api/v1/search", json={"text": f"2:{one} - {other}", "like": [own], "limit": 100})
    assert answer.status_code == 200, answer.text
    names = [hit["name"] for hit in answer.json()["results"]]
    assert (names[0], "plain-10.png" in names, names.index("plain-14.png") > 15) == ("plain-13.png", False, True)
    fitting = results(site, text=one, min_score=0.6, limit=100)
    assert (fitting[0]["name"], len(fitting) < FILES / 2) == ("plain-13.png", True)
    too_few = site.http.get("/api/v1/search", params={"text": one, "min_score": "auto"})
    assert (too_few.status_code, "fewer than 50 pictures" in too_few.json()["detail"]) == (400, True)
    several = site.http.post("/api/v1/search/several", json={"texts": ["a red circle", "07"], "limit": 2}).json()
    assert [hit["id"] for hit in several[0]["results"]] == [
        hit["id"] for hit in results(site, text="a red circle", limit=2)
    ]
    assert {hit["score"] for hit in results(site, text="/etc/passwd", limit=1)}


def test_a_body_finds_the_same_as_an_address(site: Site) -> None:
    asked = {"text": "a red circle", "where": ["format=JPEG"], "limit": 3}
    answer = site.http.post("/api/v1/search", json=asked)
    assert answer.json() == site.get("search", **asked)
    assert {hit["facts"]["format"] for hit in answer.json()["results"]} == {"JPEG"}


def test_an_offset_goes_on_where_the_last_page_ended(site: Site) -> None:
    everything = results(site, text="a circle", limit=12)
    first = site.get("search", text="a circle", limit=5)
    second = site.get("search", text="a circle", limit=5, offset=first["next"])
    assert [*first["results"], *second["results"]] == everything[:10]
    last = site.get("search", text="a circle", limit=100, offset=5)
    assert last["next"] is None


def test_facts_alone_are_sorted_as_asked(site: Site) -> None:
    found = results(site, where="taken>=2000", sort="-taken", limit=100)
    times = [hit["taken_at"] for hit in found]
    assert len(times) == 9
    assert times == sorted(times, reverse=True)


def test_a_picture_that_is_sent_along_finds_itself(site: Site) -> None:
    with (site.folder / "plain-10.png").open("rb") as file:
        answer = site.http.post("/api/v1/search/picture", files={"picture": file}, data={"limit": "3"})
    assert answer.json()["results"][0]["name"] == "plain-10.png"


def test_a_file_that_is_no_picture_is_told_without_a_path_of_this_machine(site: Site) -> None:
    answer = site.http.post("/api/v1/search/picture", files={"picture": b"no picture"})
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("The picture cannot be searched by:")


def test_a_point_finds_what_is_like_it_and_never_itself(site: Site) -> None:
    asked = site.ids["dated-00.jpg"]
    found = results(site, point=asked, limit=100)
    assert asked not in [hit["id"] for hit in found]
    assert "copy of it.jpg" not in [hit["name"] for hit in found]
    copies = site.get(f"points/{asked}/similar", copies=True, limit=1)["results"]
    assert [hit["name"] for hit in copies] == ["copy of it.jpg"]


def test_a_point_has_its_facts(site: Site) -> None:
    found = site.get(f"points/{site.ids['dated-00.jpg']}")
    assert (found["width"], found["height"], found["taken_at"]) == (192, 192, "2024-05-01T12:00:00")
    assert found["facts"]["camera"] == "X100"
    assert found["uri"] == (site.folder / "dated-00.jpg").as_uri()


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("points/none", 404, "There is no picture with the id none."),
        ("points/8f6d3f6e-56a4-5b1c-9f6e-6f2a2f0b8a11/thumbnail", 404, "There is no picture with the id 8f6d3f6e"),
        ("search?where=nonsense", 400, "'nonsense' is no condition: write a field"),
        ("search", 400, "Say what to search for: words, a picture or a condition."),
        ("search?text=a&limit=0", 422, "limit: input should be greater than or equal to 1."),
        ("facets?field=caption", 400, "There are no facets of 'caption'"),
        ("jobs/none", 404, "There is no job none"),
        ("nothing", 404, "Not Found."),
    ],
)
def test_what_is_wrong_is_a_problem_with_a_sentence(site: Site, path: str, status: int, words: str) -> None:
    answer = site.http.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert answer.json()["detail"].startswith(words)


def test_stats_and_facets_count_the_collection(site: Site) -> None:
    stats = site.get("stats")
    assert stats["points"] == FILES + 1
    assert stats["years"] == {"2023": 3, "2024": 6}
    assert site.get("facets", field="camera")["values"] == {"X100": 9}
    assert site.get("facets", field="camera", where="taken=2023")["values"] == {"X100": 3}
    assert site.get("facets", field="root")["values"] == {str(site.folder): FILES + 1}


def test_the_timeline_has_every_picture_in_the_order_of_time(site: Site) -> None:
    timeline: dict[str, Any] = site.get("timeline")
    assert [(each["month"], each["count"]) for each in timeline["months"]] == [
        ("2024-05", 6), ("2023-11", 3), (None, FILES + 1 - 9)
    ]  # fmt: skip
    ratios = np.frombuffer(base64.b64decode(timeline["ratios"]), dtype="<u2")
    assert set(ratios.tolist()) == {1000, round(1000 * 192 / 110)}
    items: list[dict[str, Any]] = site.get("timeline/items", offset=0, limit=1000)["items"]
    assert {item["id"] for item in items} == set(site.ids.values())
    times = [item["taken_at"] for item in items if item["taken_at"]]
    assert times == sorted(times, reverse=True)
    assert site.get("timeline/items", offset=3, limit=2)["items"] == items[3:5]
    assert site.get("timeline", where="taken=2023")["total"] == 3


def test_duplicates_come_in_groups(site: Site) -> None:
    found: dict[str, Any] = site.get("duplicates")
    assert (found["total"], found["points"], found["next"]) == (1, FILES + 1, None)
    assert {hit["name"] for hit in found["groups"][0]["pictures"]} == {"dated-00.jpg", "copy of it.jpg"}
    assert site.get("duplicates", near=0.9)["total"] >= 1


def test_embeddings_are_of_length_one_and_those_of_a_picture_find_it(site: Site) -> None:
    image = base64.b64encode((site.folder / "plain-10.png").read_bytes()).decode()
    asked = {"images": [image, base64.b64encode(b"no picture").decode()]}
    made = site.http.post("/api/v1/embed", json=asked).json()
    assert made["vectors"][1] is None
    assert [error["index"] for error in made["errors"]] == [1]
    vector = np.frombuffer(base64.b64decode(made["vectors"][0]), dtype="<f4")
    assert vector.shape == (made["dim"],)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    texts = site.http.post("/api/v1/embed", json={"texts": ["a circle"], "encoding": "list"}).json()
    assert len(texts["vectors"][0]) == made["dim"]


@pytest.mark.parametrize("body", [{}, {"texts": []}, {"texts": ["a"], "images": ["aGk="]}, {"images": ["no base64!"]}])
def test_a_wrong_request_to_embed_is_refused(site: Site, body: dict[str, Any]) -> None:
    answer = site.http.post("/api/v1/embed", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")


def test_a_caption_says_what_is_drawn(site: Site, scenes: list[Scene]) -> None:
    image = base64.b64encode((site.folder / "plain-10.png").read_bytes()).decode()
    said = site.http.post("/api/v1/caption", json={"images": [image]}).json()
    assert said["captions"] == [scenes[10].sentence]


@pytest.mark.parametrize(("kind", "most"), [("thumbnail", 256), ("preview", 1440)])
def test_small_pictures_are_webp_and_are_not_sent_twice(site: Site, kind: str, most: int) -> None:
    path = f"/api/v1/points/{site.ids['plain-09.png']}/{kind}"
    first = site.http.get(path)
    assert first.headers["content-type"] == "image/webp"
    with Image.open(io.BytesIO(first.content)) as picture:
        assert picture.size == (192, 110)
        assert max(picture.size) <= most
    again = site.http.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_an_original_is_the_file_itself_with_its_name_whatever_that_is(site: Site) -> None:
    answer = site.http.get(f"/api/v1/points/{site.ids[HOSTILE]}/original")
    assert answer.content == (site.folder / HOSTILE).read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"].startswith("inline; filename*=UTF-8''%3Cimg%20src%3Dx")
    saved = site.http.get(f"/api/v1/points/{site.ids[HOSTILE]}/original", params={"download": True})
    assert saved.headers["content-disposition"].startswith("attachment;")


def test_the_interface_describes_itself_with_examples(site: Site) -> None:
    described = site.http.get("/api/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    for name in ("Hit", "SearchRequest", "EmbedRequest", "IngestRequest"):
        assert described["components"]["schemas"][name]["examples"]
    assert "/api/v1/jobs/{job}/events" in described["paths"]


def test_health_and_figures_are_there_for_those_who_watch(site: Site) -> None:
    assert site.http.get("/healthz").json() == {"status": "alive"}
    assert site.http.get("/readyz").json() == {"status": "ready"}
    figures = site.http.get("/metrics").text
    assert 'darkroom_web_requests_total{route="/api/v1/search",status="200"}' in figures
    assert "plain-" not in figures


def test_many_clients_at_once_get_each_their_own_answer(site: Site, scenes: list[Scene]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(scene: Scene) -> bool:
        return scene.sentence in [hit["caption"] for hit in results(site, text=scene.sentence, limit=5)]

    wanted = [scenes[number] for number in range(FILES)] * 2
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, wanted)) == [ask(scene) for scene in wanted[:FILES]] * 2


def test_pictures_outside_of_what_was_ingested_are_not_shown(site: Site, tmp_path: Path) -> None:
    moved = site.folder / "plain-11.png"
    outside = tmp_path / "elsewhere.png"
    moved.rename(outside)
    moved.symlink_to(outside)
    try:
        answer = site.http.get(f"/api/v1/points/{site.ids['plain-11.png']}/original")
        assert answer.status_code == 403
        assert "outside of the roots" in answer.json()["detail"]
    finally:
        moved.unlink()
        outside.rename(moved)
