"""Results of tasks in Redis: Celery's backend, but the answer to a question that was taken fits into a full Redis."""

import logging
from typing import Any

from celery.backends import redis as celery_redis
from redis.exceptions import OutOfMemoryError, ResponseError

from settings.redis_errors import refusal
from tasks.broker.full import write

log = logging.getLogger("darkroom.transport")


class RedisBackend(celery_redis.RedisBackend):
    """Celery's backend with one method extended."""

    def _set(self, key: str, value: Any, expires: int | None = None) -> None:
        try:
            super()._set(key, value, expires)
        except OutOfMemoryError:
            write(self.client, "SETEX", key, expires or self.expires, value)
            self.client.publish(key, value)
        except ResponseError as error:
            if (reason := refusal(error)) is None:
                raise
            log.warning("an answer is lost, whoever waits for it asks again: Redis %s", reason)


class SentinelBackend(RedisBackend, celery_redis.SentinelBackend):
    """The same for a Redis that sentinels watch."""
