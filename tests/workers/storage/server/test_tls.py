"""A Qdrant server over TLS, HTTP and gRPC, with a certificate of one's own authority."""

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from pydantic import SecretStr
from qdrant_client import grpc as qdrant_grpc
from qdrant_client.grpc import CollectionsServicer, add_CollectionsServicer_to_server

from settings import Settings, load_settings
from settings.errors import ServiceMissing, WrongUse
from tests.workers.storage.server.recording_server import Recording, recording_server
from workers.storage.server.connection import connect


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who signs the certificates here."""
    return trustme.CA()


@pytest.fixture
def ca(authority: trustme.CA, tmp_path: Path) -> str:
    """The file that says so."""
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return str(tmp_path / "ca.pem")


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Recording]:
    """A server that shows a certificate for localhost."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with recording_server(context) as recording:
        yield recording


def settings(url: str, **qdrant: Any) -> Settings:
    own = load_settings()
    key = SecretStr("pa55-key")
    changed = {"url": url, "api_key": key, "grpc_port": 0, "timeout": 5, **qdrant}
    return own.model_copy(update={"qdrant": own.qdrant.model_copy(update=changed)})


def test_a_certificate_of_an_authority_that_is_named_is_trusted_and_the_key_is_shown(
    server: Recording, ca: str
) -> None:
    connect(settings(server.url, ca=ca)).close()
    assert ("GET", "/collections", None) in server.requests
    assert server.keys == {"pa55-key"}


def test_a_certificate_that_nobody_vouches_for_gets_no_key(server: Recording) -> None:
    with pytest.raises(ServiceMissing, match="CERTIFICATE_VERIFY_FAILED") as caught:
        connect(settings(server.url))
    assert "pa55" not in str(caught.value)
    assert server.keys == set()


def test_a_certificate_for_another_host_gets_no_key(server: Recording, ca: str) -> None:
    with pytest.raises(ServiceMissing, match="CERTIFICATE_VERIFY_FAILED"):
        connect(settings(server.url.replace("localhost", "127.0.0.1"), ca=ca))
    assert server.keys == set()


def test_a_file_that_holds_no_certificate_is_named(server: Recording, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    for name in ("none.pem", "text.pem"):
        with pytest.raises(WrongUse, match=rf"qdrant\.ca names .*{name}, which is no file of certificates"):
            connect(settings(server.url, ca=str(tmp_path / name)))


def test_grpc_trusts_the_same_authority(authority: trustme.CA, server: Recording, ca: str) -> None:
    asked: list[dict[str, str]] = []

    class Collections(CollectionsServicer):
        def List(self, request: Any, context: grpc.ServicerContext) -> Any:
            asked.append({str(key): str(value) for key, value in context.invocation_metadata()})
            return qdrant_grpc.ListCollectionsResponse()

    issued = authority.issue_cert("localhost")
    own = [(issued.private_key_pem.bytes(), b"".join(part.bytes() for part in issued.cert_chain_pems))]
    with ThreadPoolExecutor(2) as pool:
        encrypted = grpc.server(pool)
        add_CollectionsServicer_to_server(Collections(), encrypted)
        port = encrypted.add_secure_port("localhost:0", grpc.ssl_server_credentials(own))
        encrypted.start()
        try:
            connect(settings(server.url, ca=ca, grpc_port=port)).close()
        finally:
            encrypted.stop(None).wait()
    assert [metadata["api-key"] for metadata in asked] == ["pa55-key"]
    assert server.requests == []
