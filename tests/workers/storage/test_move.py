"""Moving the embedded collection to a server."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from producer.collection import move as producer_move
from producer.collection.move import Moved, check_target, move, print_moved
from producer.stack import Stack
from settings import Settings, load_settings
from settings.errors import DarkroomError, WrongUse
from tasks.queues import MOVE_PAGE, MOVE_START
from tasks.rpc.answers import reply
from tests.workers.storage.conftest import COLLECTION, connected
from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage import move as worker_move
from workers.storage import state as process
from workers.storage.catalog import Catalog
from workers.storage.embedded.catalog import EdgeCatalog
from workers.storage.server.catalog import ServerCatalog

URL = "http://store:6333"
COUNT = 600


@pytest.fixture
def source(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EdgeCatalog]:
    """The embedded collection of this storage worker."""
    catalog = EdgeCatalog(folder, "pictures")
    monkeypatch.setattr(process, "_catalog", catalog)
    yield catalog
    catalog.close()


@pytest.fixture
def filled(source: EdgeCatalog) -> EdgeCatalog:
    """The same with more pictures than two pages hold."""
    source.ensure(DIM, MODEL)
    source.upsert([picture(number, indexed_at="2026-01-01T00:00:00Z") for number in range(COUNT)])
    return source


@pytest.fixture
def target(server: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    """The collection on the server, which does not exist yet."""
    catalog = ServerCatalog(connected(server, over_grpc=True), COLLECTION)
    catalog.drop()
    monkeypatch.setattr(worker_move, "_targets", {URL: catalog})
    yield catalog
    catalog.drop()
    catalog.close()


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of a local stack; the storage worker's answers come from this process."""
    answers: dict[str, Any] = {MOVE_START: worker_move.start, MOVE_PAGE: worker_move.page}

    class Ask:
        def __init__(self, task: str, **arguments: Any) -> None:
            self.answer = reply(lambda: answers[task](**arguments))

    def wait_for(question: Any, *_: object) -> Any:
        if "error" in question.answer:
            raise {"WrongUse": WrongUse}.get(question.answer["kind"], DarkroomError)(question.answer["error"])
        return question.answer["value"]

    monkeypatch.setenv("DARKROOM__QDRANT__MOVE_TO", URL)
    load_settings.cache_clear()
    monkeypatch.setattr(producer_move, "Question", Ask)
    monkeypatch.setattr(producer_move, "wait_for", wait_for)
    return load_settings()


def moved(settings: Settings) -> Moved:
    check_target(URL, settings)
    return move(URL, Stack(settings), Console(file=StringIO()))


def pages(catalog: Catalog) -> dict[str, tuple[list[float], dict[str, Any]]]:
    points, _ = catalog.scroll(None, COUNT + 1, with_vectors=True)
    return {point.id: (np.round(point.vector, 6).tolist(), point.payload) for point in points}


def test_every_point_arrives_with_its_vector_and_payload_and_none_leaves(
    filled: EdgeCatalog, target: Catalog, embedded: Settings
) -> None:
    result = moved(embedded)
    assert (result.points, result.copied, result.there) == (COUNT, COUNT, COUNT)
    here, there = pages(filled), pages(target)
    assert here.keys() == there.keys()
    for identity, (vector, payload) in here.items():
        assert np.allclose(vector, there[identity][0], atol=1e-5)
        assert payload == there[identity][1]
    assert target.clip_model() == MODEL
    assert filled.count() == COUNT


def test_a_move_that_was_interrupted_goes_on_where_it_was_and_brings_what_has_changed(
    filled: EdgeCatalog, target: Catalog, embedded: Settings
) -> None:
    target.ensure(DIM, MODEL)
    target.upsert([picture(number, indexed_at="2026-01-01T00:00:00Z") for number in range(0, COUNT, 2)])
    filled.upsert([picture(0, indexed_at="2026-02-02T00:00:00Z", caption="a new caption")])
    result = moved(embedded)
    assert (result.points, result.copied, result.there) == (COUNT, COUNT // 2 + 1, COUNT)
    assert target.payloads([picture(0).id], ["caption"])[picture(0).id] == {"caption": "a new caption"}
    assert moved(embedded).copied == 0


def test_a_server_with_another_model_is_refused(filled: EdgeCatalog, target: Catalog, embedded: Settings) -> None:
    target.ensure(DIM, "another-clip")
    with pytest.raises(WrongUse, match="holds vectors of another-clip"):
        moved(embedded)
    assert target.count() == 0


def test_a_server_that_confirms_and_forgets_is_found_out(
    filled: EdgeCatalog, target: Catalog, embedded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, "upsert", lambda points: None)
    with pytest.raises(DarkroomError, match="confirmed 256 points that it does not hold"):
        moved(embedded)


def test_there_is_nothing_to_move_in_an_empty_collection(
    source: EdgeCatalog, target: Catalog, embedded: Settings
) -> None:
    with pytest.raises(WrongUse, match="nothing to move"):
        moved(embedded)


@pytest.mark.parametrize(
    "url", ["store:6333", "ftp://store", "http://", "http://me:pa55@store:6333", "http://s?key=pa55"]
)
def test_an_address_that_is_none_or_holds_a_password_is_refused(url: str, embedded: Settings) -> None:
    with pytest.raises(WrongUse, match="--to ") as caught:
        check_target(url, embedded)
    assert "pa55" not in str(caught.value)


def test_only_the_embedded_collection_is_moved(embedded: Settings) -> None:
    server = embedded.qdrant.model_copy(update={"url": "http://me:pa55@other:6333"})
    with pytest.raises(WrongUse, match=r"qdrant\.url names the server http://me:\*\*\*@other:6333 already"):
        moved(embedded.model_copy(update={"qdrant": server}))


def test_the_end_says_what_to_set(embedded: Settings) -> None:
    told = StringIO()
    print_moved(Moved("pictures", URL, 600, 200, 600, 1.5), embedded, Console(file=told, width=200))
    assert "200 points copied, 400 were there already: the server holds 600 in pictures (1.5 s)." in told.getvalue()
    assert f"DARKROOM__QDRANT__URL={URL}" in told.getvalue()


def test_a_stranger_cannot_send_the_collection_and_its_key_anywhere(embedded: Settings, filled: EdgeCatalog) -> None:
    with pytest.raises(WrongUse, match="may not move its collection to http://stranger:6333"):
        worker_move.start("http://stranger:6333")
