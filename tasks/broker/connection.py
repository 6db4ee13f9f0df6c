"""One broker.url for every library: the options of a redis-py client, and those of Celery, kombu and Flower."""

import socket
import ssl
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from settings import Settings, load_settings
from settings.broker_url import BrokerUrl, parse_broker_url
from tasks.stack.paths import stack_paths

IDLE_SECONDS = 20
PROBE_SECONDS = 5
PROBES = 4
SENTINEL_SECONDS = 2.0


def keepalive_options() -> dict[int, int]:
    """TCP option -> value, as redis-py takes them in `socket_keepalive_options`; only options that this system has.

    A cut cable is not reported. Without these options an idle connection counts as open for two hours, and unconfirmed
    data are sent again at ever longer intervals, so a worker would stay away long after the cable is repaired.
    """
    options = {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPINTVL": PROBE_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": 1000 * (IDLE_SECONDS + PROBES * PROBE_SECONDS),
    }
    return {getattr(socket, name): value for name, value in options.items() if hasattr(socket, name)}


def broker_url(settings: Settings) -> BrokerUrl:
    """What broker.url means, with the certificates of the settings; the embedded broker has a Unix socket."""
    broker = settings.broker
    if broker.url == "embedded":
        return BrokerUrl("unix", path=str(stack_paths(settings).socket))
    url = parse_broker_url(broker.url)
    if url.scheme != "rediss":
        return url
    files = {"ssl_ca_certs": broker.ca, "ssl_certfile": broker.cert, "ssl_keyfile": broker.key}
    # redis-py checks certificates by default, kombu does not.
    checks = {"ssl_cert_reqs": "required", "ssl_check_hostname": True}
    return replace(url, tls={**checks, **url.tls, **{name: file for name, file in files.items() if file}})


def redis_client(settings: Settings, answer_seconds: float | None = None) -> redis.Redis:
    """A client for the ledger and the lengths of the queues; after a lost connection it retries for some seconds.

    With `answer_seconds` it waits no longer for an answer and does not retry, for those who ask again anyway.
    """
    url = broker_url(settings)
    options: dict[str, Any] = {"db": url.db, "username": url.username or None, "password": url.password or None}
    if answer_seconds is None:
        retry = Retry(ExponentialBackoff(cap=2, base=0.05), retries=8)
        options |= {"socket_timeout": 30, "socket_connect_timeout": 5, "retry": retry, "health_check_interval": 30}
        options |= {"retry_on_error": [redis.exceptions.BusyLoadingError]}
    else:
        options |= {"socket_timeout": answer_seconds, "socket_connect_timeout": answer_seconds}
        options |= {"retry": Retry(NoBackoff(), 0)}
    if url.scheme == "unix":
        pool = redis.ConnectionPool(redis.UnixDomainSocketConnection, path=url.path, **options)
        return redis.Redis.from_pool(pool)
    options |= {"socket_keepalive": True, "socket_keepalive_options": keepalive_options()}
    if url.scheme == "sentinel":
        asked = sentinel_options(settings)["sentinel_kwargs"]
        client: redis.Redis = Sentinel(url.hosts, sentinel_kwargs=asked, **options).master_for(url.master)
        return client
    host, port = url.hosts[0]
    kind = redis.SSLConnection if url.scheme == "rediss" else redis.Connection
    return redis.Redis.from_pool(redis.ConnectionPool(kind, host=host, port=port, **options, **url.tls))


_shared: tuple[Settings, redis.Redis] | None = None


def shared_client() -> redis.Redis:
    """The client of this process, for all that asks and needs none of its own; threads may share it."""
    global _shared
    settings = load_settings()
    if _shared is None or _shared[0] is not settings:
        _shared = settings, redis_client(settings)
    return _shared[1]


def celery_options(settings: Settings) -> dict[str, Any]:
    """The options of a Celery app that say where Redis is, for its broker, its results, and Flower."""
    url = broker_url(settings)
    address = ";".join(_celery_urls(url))
    options: dict[str, Any] = {
        "broker_url": address,
        "result_backend": address,
        # redis-py refuses this option for a Unix socket.
        "redis_socket_keepalive": url.scheme != "unix",
    }
    if url.scheme == "rediss":
        # Not in the URL, where Flower does not look for them.
        tls = {**url.tls, "ssl_cert_reqs": ssl.VerifyMode[f"CERT_{url.tls['ssl_cert_reqs'].upper()}"]}
        options |= {"broker_use_ssl": tls, "redis_backend_use_ssl": tls}
    return options


def sentinel_options(settings: Settings) -> dict[str, Any]:
    """The options of Celery's transports for a Redis behind sentinels, none for another Redis.

    A sentinel that does not answer is not waited for: the next one knows as much.
    """
    url = broker_url(settings)
    seconds = {"socket_timeout": SENTINEL_SECONDS, "socket_connect_timeout": SENTINEL_SECONDS}
    asked = {**seconds, "retry": Retry(NoBackoff(), 0)}
    return {"master_name": url.master, "sentinel_kwargs": asked} if url.master else {}


def _celery_urls(url: BrokerUrl) -> list[str]:
    login = f"{quote(url.username, safe='')}:{quote(url.password, safe='')}@" if url.username or url.password else ""
    if url.scheme == "unix":
        return [f"redis+socket://{login}{quote(url.path)}?virtual_host={url.db}"]
    return [f"{url.scheme}://{login}{_quoted(host)}:{port}/{url.db}" for host, port in url.hosts]


def _quoted(host: str) -> str:
    return f"[{quote(host, safe=':')}]" if ":" in host else host
