"""Redis over TLS and behind a password: real connections, and one sentence without the secret for what goes wrong."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from settings import Settings, load_settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.app import make_app
from tasks.broker import redis_client
from tasks.messages import SCHEMA
from tests.conftest import redis_server
from tests.tasks.tiny_worker import ECHO
from tests.tasks.tls_proxy import tls_proxy
from tests.tasks.workers import Workers
from tests.until import until
from workers.supervisor.broker_view import BrokerView

PASSWORD = "pa55-word"


@dataclass
class Encrypted:
    """A Redis with a password, where it listens with TLS, and who signed its certificate."""

    port: int
    ca: str
    authority: trustme.CA


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypted]:
    """One for all tests of this module."""
    folder = tmp_path_factory.mktemp("tls")
    behind = f"{folder}/redis.sock"
    own = ["--port", "0", "--unixsocket", behind, "--dir", str(folder), "--save", "", "--requirepass", PASSWORD]
    server = subprocess.Popen([redis_server(), *own], stdout=subprocess.DEVNULL)
    until(lambda: Path(behind).exists(), "Redis to listen")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with tls_proxy(context, behind) as port:
        yield Encrypted(port, str(folder / "ca.pem"), authority)
    server.terminate()
    server.wait()


def settings(url: str, **broker: str) -> Settings:
    own = load_settings()
    return own.model_copy(update={"broker": own.broker.model_copy(update={"url": url, **broker})})


def refusal(own: Settings) -> DarkroomError:
    with pytest.raises(DarkroomError) as caught:
        BrokerView(own, "test").require()
    assert PASSWORD not in str(caught.value)
    return caught.value


def test_producer_and_worker_meet_over_tls(
    encrypted: Encrypted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"rediss://:{PASSWORD}@localhost:{encrypted.port}/0"
    own = settings(url, ca=encrypted.ca)
    monkeypatch.setenv("DARKROOM__BROKER__CA", encrypted.ca)
    monkeypatch.setenv("SSL_CERT_FILE", encrypted.ca)  # for the test's own connection by the bare address
    workers = Workers(url, tmp_path)
    try:
        workers.start("encrypted")
        question = {"schema": SCHEMA, "target": ["pictures"], "value": "through TLS"}
        answer = make_app(own).send_task(ECHO, kwargs=question, ignore_result=False)
        assert answer.get(timeout=60) == {"value": "through TLS"}
    finally:
        workers.end()
    assert PASSWORD not in workers.log("encrypted")
    client = redis_client(own)
    assert client.ping()
    client.close()


def test_the_certificates_may_stand_in_the_address_as_well(encrypted: Encrypted) -> None:
    url = f"rediss://:{PASSWORD}@localhost:{encrypted.port}/0?ssl_ca_certs={encrypted.ca}"
    BrokerView(settings(url), "test").require()


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(encrypted: Encrypted) -> None:
    address = f"rediss://:{PASSWORD}@localhost:{encrypted.port}/0"
    said = refusal(settings(address))
    assert isinstance(said, ServiceMissing)
    assert str(said).startswith(f"Redis at rediss://:***@localhost:{encrypted.port}/0 shows a certificate that is not")
    assert str(said).endswith("set broker.ca.")


def test_a_certificate_for_another_host_is_not_trusted(encrypted: Encrypted) -> None:
    own = settings(f"rediss://:{PASSWORD}@127.0.0.1:{encrypted.port}/0", ca=encrypted.ca)
    assert "shows a certificate that is not trusted (IP address mismatch" in str(refusal(own))
    connection = make_app(own).connection_for_write()
    with pytest.raises(Exception, match="certificate verify failed"):
        connection.ensure_connection(max_retries=1, timeout=5)


def test_something_that_does_not_speak_tls_is_told_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:
        threading.Thread(target=lambda: plain.accept()[0].sendall(b"-ERR unknown command\r\n"), daemon=True).start()
        said = refusal(settings(f"rediss://:{PASSWORD}@127.0.0.1:{plain.getsockname()[1]}/0"))
    assert "does not speak TLS as it should" in str(said)


def test_a_file_of_certificates_that_is_not_there_is_wrong_use(encrypted: Encrypted) -> None:
    said = refusal(settings(f"rediss://:{PASSWORD}@localhost:{encrypted.port}/0", ca="/nowhere/ca.pem"))
    assert isinstance(said, WrongUse)
    assert str(said) == "broker.ca names /nowhere/ca.pem, and there is no such file."


@pytest.mark.parametrize("module", ["producer", "workers"])
def test_a_wrong_password_is_one_sentence_that_does_not_repeat_it(
    encrypted: Encrypted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setenv("DARKROOM__BROKER__URL", f"rediss://me:wr0ng-one@localhost:{encrypted.port}/0")
    monkeypatch.setenv("DARKROOM__BROKER__CA", encrypted.ca)
    monkeypatch.setenv("DARKROOM__QDRANT__URL", "http://127.0.0.1:9")
    command = {"producer": ["status"], "workers": ["storage"]}[module]
    done = subprocess.run([sys.executable, "-m", module, *command], capture_output=True, text=True, timeout=120)
    assert done.returncode == 3
    expected = f"error: Redis at rediss://me:***@localhost:{encrypted.port}/0 refuses the login in broker.url.\n"
    assert done.stderr == expected
    assert done.stdout == ""
