"""A Redis behind Sentinel, and a Redis Cluster: real servers, the first is used and the second refused."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from settings.errors import ServiceMissing, WrongUse
from tasks.app import make_app
from tasks.broker import redis_client
from tasks.messages import SCHEMA, Target
from tasks.queues import FILES
from tests.conftest import redis_server
from tests.e2e.conftest import free_port
from tests.tasks.tiny_worker import ECHO
from tests.tasks.workers import Workers, on_broker
from tests.until import until
from workers.supervisor.broker_view import BrokerView


def answers(port: int) -> bool:
    try:
        return bool(redis.Redis(port=port).ping())
    except redis.ConnectionError:
        return False


@pytest.fixture
def sentinel(tmp_path: Path) -> Iterator[str]:
    """A Redis and a sentinel that watches it; the URL."""
    master, port = free_port(), free_port()
    file = tmp_path / "sentinel.conf"
    file.write_text(f"port {port}\nsentinel monitor main 127.0.0.1 {master} 1\n")
    servers = [
        subprocess.Popen([redis_server(), *arguments], stdout=subprocess.DEVNULL, cwd=tmp_path)
        for arguments in (["--port", str(master), "--save", ""], [str(file), "--sentinel"])
    ]
    until(lambda: answers(master) and answers(port), "both to listen")
    yield f"sentinel://127.0.0.1:{free_port()};127.0.0.1:{port}/3?master_name=main"
    for server in servers:
        server.terminate()
        server.wait()


def test_producer_and_worker_meet_at_the_redis_that_a_sentinel_names(sentinel: str, tmp_path: Path) -> None:
    own = on_broker(sentinel)
    BrokerView(own, "test").require()
    client = redis_client(own)
    assert client.client_info()["db"] == 3
    workers = Workers(sentinel, tmp_path)
    try:
        workers.start("behind-a-sentinel")
        question = {"schema": SCHEMA, "target": Target("pictures").to_wire(), "value": "found"}
        answer = make_app(own).send_task(ECHO, kwargs=question, ignore_result=False, queue=FILES)
        assert answer.get(timeout=60) == {"value": "found"}
    finally:
        workers.end()
    unknown = on_broker(sentinel.replace("=main", "=other"))
    with pytest.raises(ServiceMissing, match="or its sentinels know no master other"):
        BrokerView(unknown, "test").require()


def test_a_redis_in_cluster_mode_is_wrong_use(tmp_path: Path) -> None:
    # It listens on this port and on the one 10,000 above.
    port = next(port for port in iter(free_port, None) if port < 55_000)
    server = subprocess.Popen(
        [redis_server(), "--port", str(port), "--cluster-enabled", "yes", "--save", ""],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )
    try:
        until(lambda: answers(port), "it to listen")
        with pytest.raises(
            WrongUse, match="is part of a Redis Cluster, which Darkroom cannot use: name a single Redis"
        ):
            BrokerView(on_broker(f"redis://127.0.0.1:{port}"), "test").require()
    finally:
        server.terminate()
        server.wait()


def test_a_database_that_is_not_there_is_wrong_use(redis_process: str) -> None:
    view = BrokerView(on_broker(f"{redis_process}?db=99"), "test")
    with pytest.raises(WrongUse, match="has no database 99: name another one"):
        view.require()
