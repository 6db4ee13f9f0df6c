"""A Qdrant server over TLS, HTTP and gRPC, with a certificate of one's own authority."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from pydantic import SecretStr

from settings import Settings, load_settings
from settings.errors import ServiceMissing, WrongUse
from tests.workers.storage.server.qdrant_double import qdrant_double
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


@pytest.fixture
def shown(authority: trustme.CA) -> grpc.ServerCredentials:
    """The same for gRPC."""
    issued = authority.issue_cert("localhost")
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    return grpc.ssl_server_credentials([(issued.private_key_pem.bytes(), chain)])


def test_grpc_trusts_the_same_authority(server: Recording, ca: str, shown: grpc.ServerCredentials) -> None:
    with qdrant_double(credentials=shown) as encrypted:
        connect(settings(server.url, ca=ca, grpc_port=encrypted.port)).close()
        assert encrypted.keys == {"pa55-key"}
    assert server.requests == []


def test_a_grpc_port_without_tls_beside_https_gets_no_key_and_http_is_used(server: Recording, ca: str) -> None:
    with qdrant_double() as plain:
        connect(settings(server.url, ca=ca, grpc_port=plain.port)).close()
        assert (plain.calls, plain.keys) == ({}, set())
    assert ("GET", "/collections", None) in server.requests


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection")
def test_a_grpc_port_with_tls_beside_http_is_left_alone_and_http_is_used(shown: grpc.ServerCredentials) -> None:
    with recording_server() as plain, qdrant_double(credentials=shown) as encrypted:
        connect(settings(plain.url, grpc_port=encrypted.port)).close()
        assert ("GET", "/collections", None) in plain.requests
        assert encrypted.calls == {}
