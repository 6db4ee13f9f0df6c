"""What a Qdrant server answers over gRPC, a full disk or a point that it refuses: held, or listed as failed."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from grpc import StatusCode
from qdrant_client import models

from settings import load_settings
from tasks.ledger import Counts
from tasks.registry import faults
from tests.until import until
from tests.workers.storage.pictures import DIM, MODEL, picture
from tests.workers.storage.server.qdrant_double import QdrantDouble, qdrant_double
from tests.workers.storage.writing import FILES, Writing, writing_to
from workers.storage.server.connection import connect
from workers.storage.state import catalog

# Nothing listens there: all goes over gRPC.
URL = "http://localhost:9"
UPSERT = "Points/Upsert"
LIMIT = "Bad request: Max collection points limit of 10 reached!. Help: Delete points"


@pytest.fixture
def server() -> Iterator[QdrantDouble]:
    """A server that answers gRPC as it is told to."""
    with qdrant_double() as own:
        yield own


@pytest.fixture
def writing(server: QdrantDouble, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Writing]:
    """A storage worker's task in front of that server."""
    own = load_settings()
    qdrant = own.qdrant.model_copy(update={"url": URL, "grpc_port": server.port, "timeout": 60})
    with writing_to(connect(own.model_copy(update={"qdrant": qdrant})), client, monkeypatch) as started:
        yield started


@pytest.mark.parametrize(
    ("code", "words", "told"),
    [
        (
            StatusCode.INTERNAL,
            "Service internal error: No space left on device: WAL",
            "Qdrant's disk is full: make room",
        ),
        (StatusCode.INTERNAL, "Service internal error: panic", "Qdrant has failed: see its log"),
        (
            StatusCode.INTERNAL,
            "Received RST_STREAM with error code 2",
            f"Qdrant at {URL} does not answer (Received RST",
        ),
        (StatusCode.UNKNOWN, "Stream removed", f"Qdrant at {URL} does not answer (Stream removed)"),
        (StatusCode.UNAVAILABLE, "Shard temporarily unavailable", f"Qdrant at {URL} does not answer (Shard temp"),
        (StatusCode.DEADLINE_EXCEEDED, "Timeout: 60 s", f"Qdrant at {URL} does not answer (Timeout: 60 s)"),
        (StatusCode.CANCELLED, "", f"Qdrant at {URL} does not answer (CANCELLED)"),
        (StatusCode.ABORTED, "consensus", f"Qdrant at {URL} cannot do it now (consensus)"),
        (StatusCode.DATA_LOSS, "Checksum mismatch", f"Qdrant at {URL} cannot do it now (Checksum mismatch)"),
        (StatusCode.FAILED_PRECONDITION, "Storage locked: backup", "Qdrant is locked: unlock it"),
        (StatusCode.RESOURCE_EXHAUSTED, "Insufficient storage: quota", "Qdrant has reached the limit of its storage"),
        (StatusCode.RESOURCE_EXHAUSTED, "Rate limiting exceeded: wait", "Qdrant limits the number of requests"),
        (StatusCode.PERMISSION_DENIED, "Global access is required", f"Qdrant at {URL} refuses the key (Global access"),
        (StatusCode.UNAUTHENTICATED, "Invalid API key", f"Qdrant at {URL} refuses the key (Invalid API key): set"),
        (StatusCode.INVALID_ARGUMENT, LIMIT, f"Qdrant at {URL} refused a request: Bad request: Max collection"),
    ],
)
def test_a_batch_is_held_whatever_the_server_answers_and_written_when_it_is_well_again(
    server: QdrantDouble, writing: Writing, client: redis.Redis, code: StatusCode, words: str, told: str
) -> None:
    server.always(code, words, UPSERT)
    thread = writing.start()
    fault = until(lambda: faults(client).get("storage"), "the reason to be told")
    assert fault.startswith(told)
    assert writing.ledger.counts() == Counts()
    server.recover()
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)
    assert (faults(client), writing.error) == ({}, [])
    assert server.store.count("pictures").count == FILES


def test_a_point_that_the_server_refuses_fails_alone_with_its_words(server: QdrantDouble, writing: Writing) -> None:
    def refuse_one(name: str, request: Any) -> tuple[StatusCode, str] | None:
        is_bad = name == UPSERT and any(point.id.uuid == picture(1).id for point in request.points)
        return (StatusCode.INVALID_ARGUMENT, "Wrong input: a number") if is_bad else None

    server.mood = refuse_one
    writing.start().join(60)
    assert writing.ledger.counts() == Counts(stored=FILES - 1, failed=1)
    (failure,) = writing.ledger.failures()
    assert (failure.number, failure.stage) == (1, "store")
    assert failure.reason == f"Qdrant at {URL} refused a request: Wrong input: a number."


def test_a_layout_that_the_server_refuses_is_no_fault_of_the_files(
    server: QdrantDouble, writing: Writing, client: redis.Redis
) -> None:
    server.always(StatusCode.INVALID_ARGUMENT, "Wrong input: replication", "Collections/Create")
    thread = writing.start()
    fault = until(lambda: faults(client).get("storage"), "the reason to be told")
    assert fault == f"Qdrant at {URL} refused a request: Wrong input: replication."
    server.recover()
    thread.join(60)
    assert writing.ledger.counts() == Counts(stored=FILES)


def test_a_collection_that_is_removed_while_its_server_is_away_is_made_again(
    server: QdrantDouble, writing: Writing, client: redis.Redis
) -> None:
    writing.start().join(60)
    server.always(StatusCode.NOT_FOUND, "Not found: Collection `pictures` doesn't exist!", UPSERT)
    thread = writing.start()
    until(lambda: faults(client).get("storage"), "the reason to be told")
    server.store.delete_collection("pictures")
    server.recover()
    thread.join(60)
    assert writing.error == []
    assert server.store.count("pictures").count == FILES


def test_points_for_a_collection_that_was_made_anew_for_another_model_are_refused_by_its_name(
    server: QdrantDouble, writing: Writing
) -> None:
    catalog().ensure(DIM, MODEL)
    server.store.delete_collection("pictures")
    vectors = models.VectorParams(size=3, distance=models.Distance.COSINE)
    server.store.create_collection("pictures", vectors, {"clip_model": "another/clip"})
    server.always(StatusCode.INVALID_ARGUMENT, "Wrong input: Vector dimension error: expected dim: 3, got 16", UPSERT)
    writing.start().join(60)
    reasons = {failure.reason for failure in writing.ledger.failures()}
    assert len(reasons) == 1
    assert "holds vectors of another/clip" in reasons.pop()
