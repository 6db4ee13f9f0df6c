"""A question that changes the collection is begun anew when its worker dies; the answer counts the whole of it."""

from typing import Any

import pytest
import redis

import workers.storage.state
from pictures.uris import point_id
from tasks.app import app
from tasks.messages import SCHEMA
from tasks.queues import DELETE, REBUILD
from tasks.rpc import answers
from tests.workers.storage.pictures import DIM, MODEL, picture
from workers.storage import queries
from workers.storage.catalog import Catalog, Point

OTHER = "other/clip"


@pytest.fixture
def filled(catalog: Catalog, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """Ten pictures in the catalog of this process, whose broker is a Redis."""
    pictures = [picture(number) for number in range(10)]
    catalog.upsert([Point(point_id(each.payload["uri"]), each.vector, each.payload) for each in pictures])
    monkeypatch.setattr(workers.storage.state, "_catalog", catalog)
    return catalog


def ask(question: str, id_: str = "the-question", **arguments: Any) -> Any:
    wire = {"schema": SCHEMA, "target": answers.this_worker().has.to_wire(), **arguments}
    return app.tasks[question].apply(kwargs=wire, task_id=id_).get()["value"]


def ask_a_worker_that_dies(at: object, name: str, question: str, **arguments: Any) -> None:
    """Ask a worker that dies at the call `name` of `at`."""

    def die(*_: object) -> None:
        raise SystemExit

    with pytest.MonkeyPatch.context() as dying:
        dying.setattr(at, name, die)
        with pytest.raises(SystemExit):
            ask(question, **arguments)


def test_points_that_a_dead_worker_had_deleted_are_counted(filled: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    uris = [picture(number).payload["uri"] for number in range(4)]
    ask_a_worker_that_dies(queries, "record_write", DELETE, uris=uris)
    assert filled.count() == 6
    monkeypatch.setattr(answers, "PROCESS", "another")
    assert ask(DELETE, uris=uris) == 4
    assert filled.count() == 6


@pytest.mark.parametrize("dies_at", ["ensure", "record_write"])
def test_a_collection_that_a_dead_worker_had_dropped_is_made_anew_and_its_points_are_counted(
    filled: Catalog, dies_at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = filled if dies_at == "ensure" else queries
    ask_a_worker_that_dies(at, dies_at, REBUILD, dim=DIM, clip_model=OTHER)
    assert filled.clip_model() in (None, OTHER)
    monkeypatch.setattr(answers, "PROCESS", "another")
    assert ask(REBUILD, dim=DIM, clip_model=OTHER) == 10
    assert (filled.clip_model(), filled.count()) == (OTHER, 0)


def test_another_question_about_the_same_files_counts_what_is_there(filled: Catalog) -> None:
    uris = [picture(number).payload["uri"] for number in range(4)]
    assert ask(DELETE, "one", uris=uris) == 4
    assert ask(DELETE, "another", uris=uris) == 0
    assert filled.clip_model() == MODEL
