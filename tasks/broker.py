"""How to reach Redis: its URL for both libraries, a client, and what its errors mean to a person."""

import socket
import ssl
from pathlib import Path
from urllib.parse import urlencode

import redis
from redis.backoff import ExponentialBackoff
from redis.retry import Retry

from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.stack_paths import stack_paths

IDLE_SECONDS = 20
PROBE_SECONDS = 5
PROBES = 4


def keepalive_options() -> dict[int, int]:
    """TCP option -> value, as redis-py takes them in `socket_keepalive_options`; those that this system has.

    A cut cable sends no word. Without these, an idle connection is believed for two hours, and one with unconfirmed
    data is tried again at ever longer intervals, so that a worker would stay away long after the cable is back.
    """
    wanted = {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPINTVL": PROBE_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": 1000 * (IDLE_SECONDS + PROBES * PROBE_SECONDS),
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


def redis_url(settings: Settings) -> str:
    """The URL of the broker as redis-py and kombu read it, with the certificates; the embedded one is a Unix socket."""
    own = settings.broker
    if own.url == "embedded":
        return f"unix://{stack_paths(settings).socket}"
    files = {"ssl_ca_certs": own.ca, "ssl_certfile": own.cert, "ssl_keyfile": own.key}
    query = urlencode({name: path for name, path in files.items() if path and own.url.startswith("rediss://")})
    return f"{own.url}{'&' if '?' in own.url else '?'}{query}" if query else own.url


def redis_client(settings: Settings) -> redis.Redis:
    """A client for the ledger and the queues' lengths; it retries over a short loss of the connection."""
    url = redis_url(settings)
    return redis.Redis.from_url(
        url,
        socket_timeout=30,
        socket_connect_timeout=5,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), retries=8),
        retry_on_error=[redis.exceptions.BusyLoadingError],
        health_check_interval=30,
        # redis-py refuses these on a Unix socket.
        **(
            {}
            if url.startswith("unix://")
            else {"socket_keepalive": True, "socket_keepalive_options": keepalive_options()}
        ),
    )


def explain(settings: Settings, error: Exception) -> DarkroomError:
    """The error for whoever set broker.url; `error` is what redis-py raised."""
    own = settings.broker
    address = f"Redis at {own.safe_url}"
    for key in ("ca", "cert", "key"):
        path = getattr(own, key)
        if path and own.url.startswith("rediss://") and not Path(path).is_file():
            return WrongUse(f"broker.{key} names {path}, and there is no such file.")
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError):
        return ServiceMissing(f"{address} refuses the login in broker.url.")
    chain: list[BaseException] = [error]
    while (link := chain[-1].__cause__ or chain[-1].__context__) is not None and link not in chain:
        chain.append(link)
    refused = next((link for link in chain if isinstance(link, ssl.SSLError)), None)
    if isinstance(refused, ssl.SSLCertVerificationError):
        reason = refused.verify_message.rstrip(".")
        return ServiceMissing(f"{address} shows a certificate that is not trusted ({reason}): set broker.ca.")
    if refused is not None:
        return ServiceMissing(f"{address} does not speak TLS as it should ({refused.reason or refused}).")
    return ServiceMissing(f"{address} does not answer: start it or set broker.url.")
