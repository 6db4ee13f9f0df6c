"""The connection to Redis: its URL for both libraries, a client, and its errors as sentences."""

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


def redis_url(settings: Settings) -> str:
    """The URL of the broker for redis-py and kombu, with the certificates; the embedded broker has a Unix socket."""
    broker = settings.broker
    if broker.url == "embedded":
        return f"unix://{stack_paths(settings).socket}"
    files = {"ssl_ca_certs": broker.ca, "ssl_certfile": broker.cert, "ssl_keyfile": broker.key}
    query = urlencode({name: path for name, path in files.items() if path and broker.url.startswith("rediss://")})
    return f"{broker.url}{'&' if '?' in broker.url else '?'}{query}" if query else broker.url


def redis_client(settings: Settings) -> redis.Redis:
    """A client for the ledger and the lengths of the queues; after a lost connection it retries for some seconds."""
    url = redis_url(settings)
    return redis.Redis.from_url(
        url,
        socket_timeout=30,
        socket_connect_timeout=5,
        retry=Retry(ExponentialBackoff(cap=2, base=0.05), retries=8),
        retry_on_error=[redis.exceptions.BusyLoadingError],
        health_check_interval=30,
        # redis-py refuses these options for a Unix socket.
        **(
            {}
            if url.startswith("unix://")
            else {"socket_keepalive": True, "socket_keepalive_options": keepalive_options()}
        ),
    )


def explain(settings: Settings, error: Exception) -> DarkroomError:
    """The error for the user who set broker.url; `error` is what redis-py raised."""
    broker = settings.broker
    address = f"Redis at {broker.safe_url}"
    for key in ("ca", "cert", "key"):
        path = getattr(broker, key)
        if path and broker.url.startswith("rediss://") and not Path(path).is_file():
            return WrongUse(f"broker.{key} names {path}, and there is no such file.")
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError):
        return ServiceMissing(f"{address} refuses the login in broker.url.")
    chain: list[BaseException] = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    tls_error = next((cause for cause in chain if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls_error, ssl.SSLCertVerificationError):
        reason = tls_error.verify_message.rstrip(".")
        return ServiceMissing(f"{address} shows a certificate that is not trusted ({reason}): set broker.ca.")
    if tls_error is not None:
        return ServiceMissing(f"{address} does not speak TLS as it should ({tls_error.reason or tls_error}).")
    return ServiceMissing(f"{address} does not answer: start it or set broker.url.")
