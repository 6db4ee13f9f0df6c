"""What went wrong with the Redis that broker.url names, as a sentence for whoever set it."""

import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis

from settings import Settings
from settings.broker_url import NO_CLUSTER
from settings.errors import DarkroomError, ServiceMissing, WrongUse
from settings.redis_errors import chain_of, refusal
from tasks.broker.connection import broker_url


def require(settings: Settings, client: redis.Redis) -> None:
    """Raise ServiceMissing unless Redis answers; WrongUse for a Redis Cluster, and for what is not in the settings."""
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise explain(settings, error) from error
    facts: dict[str, Any] = {}
    with suppress(redis.RedisError):  # a Redis that tells nothing of itself may still do
        facts = client.info("cluster")
    if facts.get("cluster_enabled"):
        raise WrongUse(f"Redis at {settings.broker.safe_url} is part of a Redis Cluster, {NO_CLUSTER}.")


def explain(settings: Settings, error: Exception) -> DarkroomError:
    """The error for the user who set broker.url; `error` is what redis-py raised."""
    broker = settings.broker
    address = f"Redis at {broker.safe_url}"
    url = broker_url(settings)
    keys = {"ssl_ca_certs": "ca", "ssl_certfile": "cert", "ssl_keyfile": "key"}
    for option, key in keys.items():
        path = url.tls.get(option)
        if path and not Path(str(path)).is_file():
            name = f"broker.{key}" if getattr(broker, key) else f"broker.url ({option})"
            return WrongUse(f"{name} names {path}, and there is no such file.")
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError):
        return ServiceMissing(f"{address} refuses the login in broker.url.")
    if "DB index is out of range" in str(error):
        return WrongUse(f"{address} has no database {url.db}: name another one in broker.url.")
    if (reason := refusal(error)) is not None:
        return ServiceMissing(f"{address} {reason}.")
    tls_error = next((cause for cause in chain_of(error) if isinstance(cause, ssl.SSLError)), None)
    if isinstance(tls_error, ssl.SSLCertVerificationError):
        reason = tls_error.verify_message.rstrip(".")
        return ServiceMissing(f"{address} shows a certificate that is not trusted ({reason}): set broker.ca.")
    if tls_error is not None:
        return ServiceMissing(f"{address} does not speak TLS as it should ({tls_error.reason or tls_error}).")
    if url.master:
        return ServiceMissing(f"{address} does not answer, or its sentinels know no master {url.master}.")
    return ServiceMissing(f"{address} does not answer: start it or set broker.url.")
