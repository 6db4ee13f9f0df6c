"""What the tests' own Qdrant server refuses, as a real one does, and that both ways to it do the same."""

import urllib.request
from collections.abc import Callable, Iterator

import grpc
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from tests.workers.storage.conftest import COLLECTION, connected
from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.engine import LARGEST_BODY
from tests.workers.storage.server.qdrant_double import qdrant_double
from tests.workers.storage.server.rest_server import rest_server
from workers.storage.catalog import INDEXES
from workers.storage.ranking.bm25 import asked_terms
from workers.storage.server.catalog import ServerCatalog


@pytest.fixture(params=["grpc", "http"])
def catalog(request: pytest.FixtureRequest, server: tuple[str, int]) -> Iterator[ServerCatalog]:
    """A collection of ten pictures, over one of both ways."""
    own = ServerCatalog(connected(server, over_grpc=request.param == "grpc"), COLLECTION)
    own.drop()
    own.ensure(DIM, MODEL)
    own.upsert([picture(number) for number in range(10)])
    yield own
    own.drop()
    own.close()


@pytest.fixture(params=["grpc", "http"], scope="module")
def client(request: pytest.FixtureRequest, server: tuple[str, int]) -> Iterator[QdrantClient]:
    """The bare client, over one of both ways, and a collection without points."""
    catalog = ServerCatalog(connected(server, over_grpc=True), COLLECTION)
    catalog.drop()
    catalog.ensure(DIM, MODEL)
    catalog.close()
    url, port = server
    over_grpc = request.param == "grpc"
    own = QdrantClient(url=url, grpc_port=port, prefer_grpc=over_grpc, check_compatibility=False)
    yield own
    own.close()


def test_everything_that_darkroom_asks_is_answered_over_both(catalog: ServerCatalog) -> None:
    assert catalog.clip_model() == MODEL
    assert catalog.count({"all": [{"field": "format", "is": "PNG"}]}) == 3
    assert catalog.facet("format") == {"JPEG": 4, "PNG": 3, "WEBP": 3}
    assert catalog.search(picture(3).vector, 1)[0].id == picture(3).id
    assert catalog.by_content([f"{4:064x}"], MODEL, "1")[f"{4:064x}"].id == picture(4).id
    assert catalog.payloads([picture(5).id], ["width"]) == {picture(5).id: {"width": 500}}
    assert catalog.points([picture(5).id], ["width"], with_vectors=True)[picture(5).id].vector.shape == (DIM,)
    first, after = catalog.scroll(None, 6)
    assert len(first) + len(catalog.scroll(None, 6, after)[0]) == 10
    found = [hit for hit in catalog.search_words(asked_terms([("triangle", 1.0)]), 10) if hit.score > 0]
    assert {hit.id for hit in found} == {picture(number).id for number in range(0, 10, 2)}
    catalog.delete([picture(0).id])
    assert catalog.count() == 9


@pytest.mark.parametrize(
    ("words", "ask"),
    [
        ("doesn't exist", lambda client: client.count("nobody's")),
        ("dimension", lambda client: client.query_points(COLLECTION, [1.0, 0.0])),
        ("dimension", lambda client: client.upsert(COLLECTION, [models.PointStruct(id=1, vector=[1.0], payload={})])),
        ("ndex", lambda client: client.facet(COLLECTION, "uri")),
        ("vector name", lambda client: client.query_points(COLLECTION, _sparse(), using="other")),
    ],
)
def test_what_is_wrong_is_refused_in_the_words_of_qdrant(
    client: QdrantClient, words: str, ask: Callable[[QdrantClient], object]
) -> None:
    with pytest.raises((grpc.RpcError, UnexpectedResponse)) as caught:
        ask(client)
    details = caught.value.details() if isinstance(caught.value, grpc.RpcError) else caught.value.content.decode()
    assert words in details


def _sparse() -> models.SparseVector:
    return models.SparseVector(indices=[1], values=[1.0])


def test_a_body_beyond_the_limit_is_refused(client: QdrantClient) -> None:
    point = models.PointStruct(id=1, vector=[0.5] * DIM, payload={"caption": "x" * LARGEST_BODY})
    with pytest.raises((grpc.RpcError, UnexpectedResponse)):
        client.upsert(COLLECTION, [point])


def test_the_health_check_of_the_compose_file_is_answered(server: tuple[str, int]) -> None:
    with urllib.request.urlopen(f"{server[0]}/readyz") as answer:
        assert answer.status == 200


def test_a_strict_server_refuses_a_field_without_an_index_and_darkroom_asks_for_none_such() -> None:
    with qdrant_double() as strict, rest_server(strict.store) as url:
        strict.store.strict_mode = True
        catalog = ServerCatalog(connected((url, strict.port), over_grpc=True), COLLECTION)
        catalog.ensure(DIM, MODEL)
        catalog.upsert([picture(number) for number in range(10)])
        for field, kind in INDEXES.items():
            if kind in ("keyword", "integer"):
                catalog.count({"all": [{"field": field, "exists": True}]})
        client = QdrantClient(url=url, check_compatibility=False)
        condition = models.FieldCondition(key="uri", match=models.MatchValue(value="file:///a"))
        with pytest.raises(UnexpectedResponse, match="Index required"):
            client.count(COLLECTION, models.Filter(must=[condition]))
        client.close()
        catalog.close()
