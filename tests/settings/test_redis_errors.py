"""Errors of Redis as servers raise them: refusals are named, and what is our own fault is not asked for ever."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from kombu.exceptions import OperationalError

from settings.redis_errors import may_pass, refusal
from tests.conftest import redis_server
from tests.until import until

SCRIPT = "return redis.call('SET', 'key', ARGV[1])"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    """A Redis of its own, to be put into bad moods."""
    socket, folder = tmp_path / "redis.sock", tmp_path / "data"
    folder.mkdir()
    arguments = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
    process = subprocess.Popen([redis_server(), *arguments], stdout=subprocess.DEVNULL)
    until(socket.exists, "Redis to listen")
    yield redis.Redis(unix_socket_path=str(socket))
    process.kill()
    process.wait()


def in_pipeline(client: redis.Redis, transaction: bool) -> None:
    pipe = client.pipeline(transaction=transaction)
    pipe.set("key", 1)
    pipe.execute()


def errors_of(client: redis.Redis) -> list[Exception]:
    """What a command, a script, a pipeline and a transaction raise."""
    errors: list[Exception] = []
    writes: tuple[Callable[[], object], ...] = (
        lambda: client.set("key", 1),
        lambda: client.eval(SCRIPT, 0, 1),
        lambda: in_pipeline(client, transaction=False),
        lambda: in_pipeline(client, transaction=True),
    )
    for write in writes:
        with pytest.raises(redis.RedisError) as caught:
            write()
        errors.append(caught.value)
    return errors


def is_replica(client: redis.Redis) -> None:
    client.replicaof("127.0.0.1", "1")


def is_full(client: redis.Redis) -> None:
    client.config_set("maxmemory", "1")


def cannot_save(client: redis.Redis) -> None:
    client.config_set("save", "3600 1000000")
    Path(str(client.config_get("dir")["dir"])).rmdir()
    client.bgsave()
    until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the saving to fail")


def has_no_replica(client: redis.Redis) -> None:
    client.config_set("min-replicas-to-write", "1")


@pytest.mark.parametrize(
    ("mood", "words"),
    [
        (is_full, "is full (its maxmemory is reached)"),
        (cannot_save, "takes no writes because it cannot save its data to disk"),
        (is_replica, "is a replica, which takes no writes"),
        (has_no_replica, "takes no writes because too few replicas are there"),
    ],
)
def test_a_refusal_is_named_whichever_way_one_asked(
    server: redis.Redis, mood: Callable[[redis.Redis], None], words: str
) -> None:
    mood(server)
    for error in errors_of(server):
        assert refusal(error) == words
        assert may_pass(error)
        wrapped = OperationalError(str(error))
        wrapped.__cause__ = error
        assert refusal(wrapped) == words
        assert may_pass(wrapped)


def test_what_we_ask_wrongly_does_not_pass_and_a_redis_that_is_away_does(server: redis.Redis, tmp_path: Path) -> None:
    server.set("text", "OOM MISCONF READONLY")
    pipe = server.pipeline()
    pipe.lpush("text", "-OOM command")
    wrongs: tuple[Callable[[], object], ...] = (
        lambda: server.setbit("bits", 2**32, 1),
        lambda: server.hget("text", "OOM command not allowed"),
        pipe.execute,
    )
    for wrong in wrongs:
        with pytest.raises(redis.ResponseError) as caught:
            wrong()
        assert refusal(caught.value) is None
        assert not may_pass(caught.value)
    away = redis.Redis(unix_socket_path=str(tmp_path / "nobody.sock"))
    with pytest.raises(redis.ConnectionError) as gone:
        away.ping()
    assert refusal(gone.value) is None
    assert may_pass(gone.value)
