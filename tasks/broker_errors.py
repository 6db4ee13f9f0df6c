"""What it means to a person when Redis cannot be reached; no sentence repeats a password."""

import ssl
from pathlib import Path

import redis

from settings import Settings
from tasks.errors import DarkroomError, ServiceMissing, WrongUse


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
