"""Qdrant's HTTP interface over the engine: the models of qdrant-client read the bodies, and forbid what they lack."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydantic
from qdrant_client import models

from tests.workers.storage.server.engine import LARGEST_BODY, Engine, EngineError

VERSION = "1.20.0"
COMPLETED = {"operation_id": 1, "status": "completed"}
Route = tuple[str, str, Callable[[Engine, str, Any], Any]]


def _points(body: Any) -> list[tuple[Any, Any, Any]]:
    """The points of a body, which has them one by one or in columns."""
    if "batch" in body:
        batch = models.PointsBatch.model_validate(body).batch
        vectors: Any = batch.vectors
        if isinstance(vectors, dict):
            vectors = [dict(zip(vectors, row, strict=True)) for row in zip(*vectors.values(), strict=True)]
        payloads: list[Any] = batch.payloads or [None] * len(batch.ids)
        return list(zip(batch.ids, vectors, payloads, strict=True))
    return [(point.id, point.vector, point.payload) for point in models.PointsList.model_validate(body).points]


def _create(engine: Engine, name: str, body: Any) -> bool:
    wanted = models.CreateCollection.model_validate(body)
    assert isinstance(wanted.vectors, models.VectorParams)
    engine.create_collection(name, wanted.vectors, dict(wanted.metadata or {}), wanted.sparse_vectors or {})
    return True


def _index(engine: Engine, name: str, body: Any) -> Any:
    wanted = models.CreateFieldIndex.model_validate(body)
    schema: Any = wanted.field_schema
    engine.create_payload_index(name, wanted.field_name, str(getattr(schema, "type", schema).value))
    return COMPLETED


def _upsert(engine: Engine, name: str, body: Any) -> Any:
    engine.upsert(name, _points(body))
    return COMPLETED


def _update_vectors(engine: Engine, name: str, body: Any) -> Any:
    engine.update_vectors(name, models.UpdateVectors.model_validate(body).points)
    return COMPLETED


def _delete(engine: Engine, name: str, body: Any) -> Any:
    engine.delete(name, models.PointIdsList.model_validate(body).points)
    return COMPLETED


def _retrieve(engine: Engine, name: str, body: Any) -> Any:
    wanted = models.PointRequest.model_validate(body)
    return engine.retrieve(name, wanted.ids, wanted.with_payload, wanted.with_vector or False)


def _scroll(engine: Engine, name: str, body: Any) -> Any:
    asked = models.ScrollRequest.model_validate(body)
    found, after = engine.scroll(
        name, asked.filter, asked.limit or 10, asked.offset, asked.with_payload, asked.with_vector or False
    )
    return {"points": found, "next_page_offset": after}


def _query(engine: Engine, name: str, body: Any) -> Any:
    return {"points": engine.query(name, models.QueryRequest.model_validate(body))}


def _query_batch(engine: Engine, name: str, body: Any) -> Any:
    asked = models.QueryRequestBatch.model_validate(body)
    return [{"points": engine.query(name, each)} for each in asked.searches]


def _facet(engine: Engine, name: str, body: Any) -> Any:
    asked = models.FacetRequest.model_validate(body)
    condition: Any = asked.filter
    return engine.facet(name, asked.key, condition, asked.limit or 10)


def _count(engine: Engine, name: str, body: Any) -> Any:
    return engine.count(name, models.CountRequest.model_validate(body).filter)


ROUTES: tuple[Route, ...] = (
    ("GET", "", lambda engine, name, body: engine.get_collection(name)),
    ("GET", "/exists", lambda engine, name, body: {"exists": engine.collection_exists(name)}),
    ("PUT", "", _create),
    ("DELETE", "", lambda engine, name, body: engine.delete_collection(name)),
    ("PUT", "/index", _index),
    ("PUT", "/points", _upsert),
    ("PUT", "/points/vectors", _update_vectors),
    ("POST", "/points", _retrieve),
    ("POST", "/points/scroll", _scroll),
    ("POST", "/points/query", _query),
    ("POST", "/points/query/batch", _query_batch),
    ("POST", "/points/count", _count),
    ("POST", "/points/delete", _delete),
    ("POST", "/facet", _facet),
)


def answer(engine: Engine, method: str, path: str, body: Any) -> Any:
    """The result of a request; raises EngineError, or ValidationError for a body that is not in the schema."""
    if (method, path) == ("GET", "/collections"):
        return {"collections": [{"name": name} for name in engine.collection_names()]}
    found = re.fullmatch(r"/collections/([^/]+)(/.*)?", path)
    if found and method == "PUT" and (named := re.fullmatch(r"/vectors/([^/]+)", found[2] or "")):
        models.SparseVectorNameConfig.model_validate(body)
        engine.create_sparse_vector(found[1], named[1])
        return COMPLETED
    for verb, rest, route in ROUTES:
        if found and (verb, rest) == (method, found[2] or ""):
            return route(engine, found[1], body)
    raise NotImplementedError(f"{method} {path}")


@contextmanager
def rest_server(engine: Engine) -> Iterator[str]:
    """The address of a server over this engine, which ends with the block."""

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            path = self.path.partition("?")[0]
            length = int(self.headers.get("Content-Length", 0))
            if length > LARGEST_BODY:
                words = f"JSON payload ({length} bytes) is larger than allowed (limit: {LARGEST_BODY} bytes)."
                self._say(413, {"status": {"error": words}})
                return
            sent = self.rfile.read(length)
            if path == "/":
                self._say(200, {"title": "qdrant - vector search engine", "version": VERSION})
            elif path in ("/readyz", "/healthz", "/livez"):
                self._say(200, "all shards are ready")
            else:
                self._result(path, json.loads(sent) if sent else None)

        def _result(self, path: str, body: Any) -> None:
            try:
                result = answer(engine, self.command, path, body)
            except EngineError as error:
                self._say(error.status, {"status": {"error": str(error)}, "time": 0.0})
            except pydantic.ValidationError as error:
                self._say(400, {"status": {"error": f"Format error in JSON body: {error}"}, "time": 0.0})
            else:
                self._say(200, {"result": result, "status": "ok", "time": 0.0})

        def _say(self, status: int, answer: Any) -> None:
            text = pydantic.TypeAdapter(Any).dump_json(answer, exclude_none=True)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_PUT = do_POST = do_DELETE = _serve

        def log_message(self, *_: object) -> None: ...

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=web.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{web.server_port}"
    finally:
        web.shutdown()
        web.server_close()
