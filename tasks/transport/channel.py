"""Messages are taken in batches, need no bindings in Redis, and go on while Redis is full or away."""

import json
import logging
import time
from queue import Empty
from typing import Any

import redis
from kombu.transport import redis as kombu_redis
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ResponseError

from settings.redis_errors import refusal
from tasks.broker.full import write
from tasks.broker.scripts import run_script
from tasks.queues import FILES, POINTS, QUEUES, UNACKED, UNACKED_INDEX, UNACKED_MUTEX
from tasks.recoveries import recovered
from tasks.transport.qos import QoS
from tasks.transport.scripts import POP

log = logging.getLogger("darkroom.transport")

# How long to wait before a Redis that refuses to give messages is asked again; the worker does nothing else meanwhile.
REFUSED_SECONDS = 1.0


class Client(redis.Redis):
    """Its pipelines are no transactions: a full Redis refuses every command in one, even to read or to remove."""

    def pipeline(self, transaction: bool = False, shard_hint: str | None = None) -> redis.client.Pipeline:
        """A pipeline, and a transaction only where one is asked for."""
        return super().pipeline(transaction, shard_hint)


class Channel(kombu_redis.Channel):
    """Takes messages in batches, needs no bindings in Redis, and survives a restart of Redis."""

    QoS = QoS
    # Names of our own: another Celery application on this database has its messages under kombu's, and its own timeout.
    unacked_key = UNACKED
    unacked_index_key = UNACKED_INDEX
    unacked_mutex_key = UNACKED_MUTEX
    _cached_client: Any = None

    def _get_client(self) -> type[Client]:
        return Client

    def _create_client(self, asynchronous: bool = False) -> Any:
        # kombu creates a client for every command, which costs more than the command.
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._cached_client is None or self._cached_client.connection_pool is not self.pool:
            self._cached_client = super()._create_client()
        return self._cached_client

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """The bindings of an exchange; each of our exchanges is bound to the queue of the same name.

        kombu reads the bindings from Redis for every message, but writes them only once for each connection. When Redis
        has lost its data it has lost them too, and then kombu silently drops every message of a living process.
        """
        if exchange in QUEUES:
            return [(exchange, "", exchange)]
        table: list[tuple[str, ...]] = super().get_table(exchange)
        return table

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        try:
            super()._put(queue, message, **options)
        except OutOfMemoryError:
            # What a worker passes on, it holds; only when it has passed it on does that leave a full Redis.
            if queue != POINTS and not queue.startswith(FILES):
                raise
            with self.conn_or_acquire() as client:
                write(client, "LPUSH", self._q_for_pri(queue, 0), dumps(message))

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except OutOfMemoryError:
            member = self.sep.join([routing_key or "", pattern or "", queue or ""])
            with self.conn_or_acquire() as client:
                write(client, "SADD", self.keyprefix_queue % exchange, member)

    def maybe_refresh_binding_expiry(self) -> None:
        """As kombu does it; a Redis that takes no writes is asked again later, without a traceback in the log."""
        try:
            super().maybe_refresh_binding_expiry()
        except ResponseError as error:
            if refusal(error) is None:
                raise

    def _brpop_read(self, **options: Any) -> Any:
        try:
            delivered = super()._brpop_read(**options)
            # None on a channel without a prefetch count, such as one for replies: it takes one message at a time.
            capacity = self.qos.can_consume_max_estimate()
            if capacity and not self._closing:
                self._deliver_more(capacity)
        except ResponseError as error:
            if (reason := refusal(error)) is None:
                raise
            # It would end the worker, or make it connect again and again.
            log.warning("waiting for messages: Redis %s", reason)
            time.sleep(REFUSED_SECONDS)
            raise Empty from error
        except (ValueError, KeyError, TypeError) as error:
            # It is not in Redis any more, and the error would end the worker.
            log.error("dropped an entry of a queue that is no Celery message: %s: %s", type(error).__name__, error)
            recovered(self._create_client(), "entry_dropped")
            raise Empty from error
        return delivered

    def _deliver_more(self, capacity: int) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        keys = [self.unacked_key, self.unacked_index_key, *queues]
        popped = run_script(self._create_client(), POP, keys, [capacity])
        for queue, tag, raw in zip(popped[::3], popped[1::3], popped[2::3], strict=True):
            try:
                # kombu's parser looks in every object for its notation of dates and similar values; ours has none.
                payload = loads(raw.decode()) if b'"__type__"' in raw else json.loads(raw)
                self.qos.recorded.add(payload["properties"]["delivery_tag"])
                self.connection._deliver(payload, queue.decode())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                # Lua reads what Python does not, such as 0x10.
                self.qos.recorded.discard(tag.decode(errors="replace"))
                self.qos.drop(tag, error)

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # After a connection is lost, kombu may restore messages on a channel whose connection is closed. It would raise
        # an AttributeError, which ends the worker; a connection error makes it connect again.
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the connection of this channel is closed")
        return dict(super()._connparams(asynchronous=asynchronous))

    def close(self) -> None:
        """Stop the threads and close the channel."""
        if self._qos is not None:
            self._qos.stop()
        super().close()


class SentinelChannel(Channel, kombu_redis.SentinelChannel):
    """The same for a Redis that sentinels watch: kombu's class asks them which one is the master."""


class Transport(kombu_redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = Channel


class SentinelTransport(Transport):
    """The same for a Redis that sentinels watch."""

    Channel = SentinelChannel
