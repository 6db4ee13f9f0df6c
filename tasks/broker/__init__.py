"""The connection to Redis: what broker.url means for each library, a client, and errors as sentences."""

from tasks.broker.connection import celery_options, keepalive_options, redis_client, sentinel_options, shared_client
from tasks.broker.errors import explain, require

__all__ = [
    "celery_options",
    "explain",
    "keepalive_options",
    "redis_client",
    "require",
    "sentinel_options",
    "shared_client",
]
