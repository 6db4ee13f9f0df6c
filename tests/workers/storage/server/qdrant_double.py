"""A gRPC server in the place of Qdrant: its own stubs over the client's in-memory mode, in the mood a test needs."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from qdrant_client import QdrantClient, models
from qdrant_client import grpc as wire
from qdrant_client.conversions.conversion import GrpcToRest, RestToGrpc

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
        self.store = QdrantClient(":memory:")
        # The in-memory mode is not safe for threads.
        self.lock = threading.Lock()
        self.port = 0

    def always(self, code: grpc.StatusCode, words: str, *names: str) -> None:
        """Answer these calls, or all, with an error."""
        self.mood = lambda name, request: (code, words) if not names or name in names else None

    def recover(self) -> None:
        """Answer the truth again."""
        self.mood = lambda name, request: None

    def start(self, credentials: grpc.ServerCredentials | None = None, port: int = 0) -> Callable[[], object]:
        """Listen at `port`, or at a free one; what it returns stops it."""
        server = grpc.server(ThreadPoolExecutor(16), interceptors=[_Moods(self)], options=[("grpc.so_reuseport", 0)])
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
            with self._double.lock:
                return handler.unary_unary(request, context)

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
        return wire.ListCollectionsResponse()

    def CollectionExists(self, request: Any, context: Any) -> Any:
        exists = self._store.collection_exists(request.collection_name)
        return wire.CollectionExistsResponse(result=wire.CollectionExists(exists=exists))

    def Create(self, request: Any, context: Any) -> Any:
        metadata = {"clip_model": request.metadata["clip_model"].string_value}
        vectors = GrpcToRest.convert_vectors_config(request.vectors_config)
        self._store.create_collection(request.collection_name, vectors, metadata=metadata)
        return wire.CollectionOperationResponse(result=True)

    def Get(self, request: Any, context: Any) -> Any:
        info = self._store.get_collection(request.collection_name)
        return wire.GetCollectionInfoResponse(result=RestToGrpc.convert_collection_info(info))

    def Delete(self, request: Any, context: Any) -> Any:
        self._store.delete_collection(request.collection_name)
        return wire.CollectionOperationResponse(result=True)


class _Points(wire.PointsServicer):
    def __init__(self, double: QdrantDouble) -> None:
        self._store = double.store

    def CreateFieldIndex(self, request: Any, context: Any) -> Any:
        return _written()

    def Upsert(self, request: Any, context: Any) -> Any:
        self._store.upsert(request.collection_name, [GrpcToRest.convert_point_struct(p) for p in request.points])
        return _written()

    def Get(self, request: Any, context: Any) -> Any:
        records = self._store.retrieve(
            request.collection_name,
            [GrpcToRest.convert_point_id(each) for each in request.ids],
            GrpcToRest.convert_with_payload_selector(request.with_payload),
        )
        return wire.GetResponse(result=map(RestToGrpc.convert_record, records))

    def Scroll(self, request: Any, context: Any) -> Any:
        records, after = self._store.scroll(
            request.collection_name,
            _filter(request),
            request.limit,
            offset=GrpcToRest.convert_point_id(request.offset) if request.HasField("offset") else None,
            with_payload=GrpcToRest.convert_with_payload_selector(request.with_payload),
            with_vectors=request.with_vectors.enable,
        )
        page = None if after is None else RestToGrpc.convert_extended_point_id(after)
        return wire.ScrollResponse(result=map(RestToGrpc.convert_record, records), next_page_offset=page)

    def Count(self, request: Any, context: Any) -> Any:
        count = self._store.count(request.collection_name, _filter(request)).count
        return wire.CountResponse(result=wire.CountResult(count=count))

    def QueryBatch(self, request: Any, context: Any) -> Any:
        # Darkroom asks so for what it holds by content; none of it is the right answer for new pictures.
        return wire.QueryBatchResponse(result=[wire.BatchResult() for _ in request.query_points])


def _filter(request: Any) -> models.Filter | None:
    return GrpcToRest.convert_filter(request.filter) if request.HasField("filter") else None


def _written() -> Any:
    return wire.PointsOperationResponse(
        result=wire.UpdateResult(operation_id=1, status=wire.UpdateStatus.Completed), time=0.0
    )
