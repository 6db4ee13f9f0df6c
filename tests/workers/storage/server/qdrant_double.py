"""A gRPC server in the place of Qdrant: its own stubs over the embedded engine, in the mood that a test needs."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from qdrant_client import grpc as wire
from qdrant_client import models
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

from tests.workers.storage.server.engine import LARGEST_BODY, Engine, EngineError

OPTIONS = [("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", LARGEST_BODY)]

# What a call is answered with instead of the truth: a code and words; None for the truth.
Mood = Callable[[str, Any], tuple[grpc.StatusCode, str] | None]


class QdrantDouble:
    """`mood` gets each call by its name, like Points/Upsert, and its request; `calls` counts them.

    `keys` are the keys that were shown.
    """

    def __init__(self, version: str = "1.20.0") -> None:
        self.version = version
        self.mood: Mood = lambda name, request: None
        self.calls: Counter[str] = Counter()
        self.keys: set[str] = set()
        self.store = Engine()
        self.port = 0

    def always(self, code: grpc.StatusCode, words: str, *names: str) -> None:
        """Answer these calls, or all, with an error."""
        self.mood = lambda name, request: (code, words) if not names or name in names else None

    def recover(self) -> None:
        """Answer the truth again."""
        self.mood = lambda name, request: None

    def start(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> Callable[[], object]:
        """Listen at `port`, or at a free one; what it returns stops it."""
        server = grpc.server(ThreadPoolExecutor(16), interceptors=[_Moods(self)], options=OPTIONS)
        wire.add_QdrantServicer_to_server(_Root(self), server)
        wire.add_CollectionsServicer_to_server(_Collections(self), server)
        wire.add_PointsServicer_to_server(_Points(self), server)
        address = f"localhost:{port}"
        self.port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        server.start()
        return lambda: server.stop(None).wait()


@contextmanager
def qdrant_double(
    version: str = "1.20.0", credentials: grpc.ServerCredentials | None = None, port: int = 0
) -> Iterator[QdrantDouble]:
    """The server, which ends with the block."""
    double = QdrantDouble(version)
    stop = double.start(credentials, port)
    try:
        yield double
    finally:
        double.recover()
        stop()


class _Moods(grpc.ServerInterceptor):
    def __init__(self, double: QdrantDouble) -> None:
        self._double = double

    def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler, name = continuation(details), details.method.removeprefix("/qdrant.")
        self._double.keys.update(str(value) for key, value in details.invocation_metadata if key == "api-key")

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            self._double.calls[name] += 1
            if refusal := self._double.mood(name, request):
                context.abort(*refusal)
            try:
                return handler.unary_unary(request, context)
            except EngineError as error:
                context.abort(error.code, str(error))

        return grpc.unary_unary_rpc_method_handler(
            answer, request_deserializer=handler.request_deserializer, response_serializer=handler.response_serializer
        )


class _Root(wire.QdrantServicer):
    def __init__(self, double: QdrantDouble) -> None:
        self._double = double

    def HealthCheck(self, request: Any, context: Any) -> Any:
        return wire.HealthCheckReply(title="qdrant - vector search engine", version=self._double.version)


class _Collections(wire.CollectionsServicer):
    def __init__(self, double: QdrantDouble) -> None:
        self._store = double.store

    def List(self, request: Any, context: Any) -> Any:
        names = [wire.CollectionDescription(name=name) for name in self._store.collection_names()]
        return wire.ListCollectionsResponse(collections=names)

    def CollectionExists(self, request: Any, context: Any) -> Any:
        exists = self._store.collection_exists(request.collection_name)
        return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=exists))

    def Create(self, request: Any, context: Any) -> Any:
        metadata = {key: GrpcToRest.convert_payload({key: value})[key] for key, value in request.metadata.items()}
        vectors: Any = GrpcToRest.convert_vectors_config(request.vectors_config)
        sparse = GrpcToRest.convert_sparse_vector_config(request.sparse_vectors_config)
        self._store.create_collection(request.collection_name, vectors, metadata, sparse)
        return wire.CollectionOperationResponse(result=True)

    def Get(self, request: Any, context: Any) -> Any:
        info = self._store.get_collection(request.collection_name)
        return wire.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    def Delete(self, request: Any, context: Any) -> Any:
        return wire.CollectionOperationResponse(result=self._store.delete_collection(request.collection_name))


class _Points(wire.PointsServicer):
    def __init__(self, double: QdrantDouble) -> None:
        self._store = double.store

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        kind = wire.FieldType.Name(request.field_type).removeprefix("FieldType").lower()
        self._store.create_payload_index(request.collection_name, request.field_name, kind)
        return _written()

    def Upsert(self, request: Any, context: Any) -> Any:
        points = [GrpcToRest.convert_point_struct(point) for point in request.points]
        self._store.upsert(request.collection_name, [(point.id, point.vector, point.payload) for point in points])
        return _written()

    def CreateVectorName(self, request: Any, context: Any) -> Any:
        assert request.HasField("sparse_config")
        self._store.create_sparse_vector(request.collection_name, request.vector_name)
        return _written()

    def UpdateVectors(self, request: Any, context: Any) -> Any:
        points = [GrpcToRest.convert_point_vectors(each) for each in request.points]
        self._store.update_vectors(request.collection_name, points)
        return _written()

    def Delete(self, request: Any, context: Any) -> Any:
        ids = [GrpcToRest.convert_point_id(each) for each in request.points.points.ids]
        self._store.delete(request.collection_name, ids)
        return _written()

    def Get(self, request: Any, context: Any) -> Any:
        records = self._store.retrieve(
            request.collection_name,
            [GrpcToRest.convert_point_id(each) for each in request.ids],
            GrpcToRest.convert_with_payload_selector(request.with_payload),
            _vectors(request),
        )
        return wire.GetResponse(result=map(RestToGrpc.convert_record, records))

    def Scroll(self, request: Any, context: Any) -> Any:
        records, after = self._store.scroll(
            request.collection_name,
            _filter(request),
            request.limit,
            GrpcToRest.convert_point_id(request.offset) if request.HasField("offset") else None,
            GrpcToRest.convert_with_payload_selector(request.with_payload),
            _vectors(request),
        )
        page = None if after is None else RestToGrpc.convert_extended_point_id(after)
        return wire.ScrollResponse(result=map(RestToGrpc.convert_record, records), next_page_offset=page)

    def Count(self, request: Any, context: Any) -> Any:
        count = self._store.count(request.collection_name, _filter(request)).count
        return wire.CountResponse(result=wire.CountResult(count=count))

    def Query(self, request: Any, context: Any) -> Any:
        return wire.QueryResponse(result=self._found(request.collection_name, request))

    def QueryBatch(self, request: Any, context: Any) -> Any:
        asked = request.query_points
        return wire.QueryBatchResponse(
            result=[wire.BatchResult(result=self._found(request.collection_name, each)) for each in asked]
        )

    def Facet(self, request: Any, context: Any) -> Any:
        found = self._store.facet(request.collection_name, request.key, _filter(request), request.limit)
        return wire.FacetResponse(hits=map(RestToGrpc.convert_facet_value_hit, found.hits))

    def _found(self, name: str, request: Any) -> list[Any]:
        points = self._store.query(name, GrpcToRest.convert_query_points(request))
        return [RestToGrpc.convert_scored_point(point) for point in points]


def _vectors(request: Any) -> Any:
    return GrpcToRest.convert_with_vectors_selector(request.with_vectors) if request.HasField("with_vectors") else False


def _filter(request: Any) -> models.Filter | None:
    return GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None


def _written() -> Any:
    return wire.PointsOperationResponse(
        result=wire.UpdateResult(operation_id=1, status=wire.UpdateStatus.Completed), time=0.0
    )
