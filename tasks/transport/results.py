"""Results of tasks in Redis: Celery's backend, but the answer to a question that was taken fits into a full Redis."""

from typing import Any

from celery.backends import redis as celery_redis
from redis.exceptions import OutOfMemoryError

from tasks.broker.full import write


class RedisBackend(celery_redis.RedisBackend):
    """Celery's backend with one method extended."""

    def _set(self, key: str, value: Any, expires: int | None = None) -> None:
        try:
            super()._set(key, value, expires)
        except OutOfMemoryError:
            write(self.client, "SETEX", key, expires or self.expires, value)
            self.client.publish(key, value)


class SentinelBackend(RedisBackend, celery_redis.SentinelBackend):
    """The same for a Redis that sentinels watch."""
