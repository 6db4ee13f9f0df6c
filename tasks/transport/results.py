"""Results of tasks in Redis: Celery's backend, but the answer to a question that was taken fits into a full Redis."""

import logging
from typing import Any

from celery.backends import redis as celery_redis
from redis.exceptions import OutOfMemoryError, ResponseError

from settings.redis_errors import refusal
from tasks.broker.full import write

log = logging.getLogger("darkroom.transport")


class RedisBackend(celery_redis.RedisBackend):
    """Celery's backend with two methods changed."""

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Subscribe to nothing: whoever waits for an answer looks for it, or subscribes when it begins to wait.

        Answers that are pushed to a process which does not read them would fill the memory of Redis.
        """

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
