"""Darkroom's Redis transport: kombu's, but messages and acknowledgements travel in batches and leases are renewed.

It overrides methods of kombu and uses private names. docs/architecture.md lists them with the reasons;
tests/tasks/test_private_names.py fails with a sentence when a new release of kombu changes one of them.
"""

import json
import logging
import threading
from collections import deque
from contextlib import suppress
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError

from tasks.queues import QUEUES, UNACKED, UNACKED_INDEX, UNACKED_MUTEX
from tasks.transport_scripts import EXPIRED, POP, RECORD, RENEW

log = logging.getLogger("darkroom.transport")

# How long acknowledgements are collected. If the process is killed meanwhile, their messages are delivered again, which
# does no harm at any step.
COLLECT_SECONDS = 0.005
# How long to wait before acknowledgements are sent again to a Redis that is away.
RETRY_SECONDS = 0.5

RESTORED_AT_ONCE = 1000


class QoS(kombu_redis.QoS):
    """Sends acknowledgements in batches and renews the leases of the messages that are held, each by a thread.

    kombu counts the visibility timeout from the delivery and never renews it, so a picture that takes longer would be
    delivered to a second worker. A long timeout is no solution: the files of a killed worker wait until it ends.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Tags of messages that `POP` has recorded in Redis already.
        self.recorded: set[str] = set()
        self._acknowledged: deque[str] = deque()
        self._has_acknowledged = threading.Event()
        self._stopped = threading.Event()
        self._sender = threading.Thread(target=self._send_acknowledgements, name="acknowledge", daemon=True)
        self._sender.start()
        threading.Thread(target=self._renew_leases, name="lease", daemon=True).start()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Hold a message that was delivered, and record it in Redis unless `POP` has done that."""
        if delivery_tag in self.recorded:
            self.recorded.discard(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            info = message.delivery_info
            entry = dumps([message._raw, info["exchange"], info["routing_key"]])
            with self.channel.conn_or_acquire() as client:
                record = client.register_script(RECORD)
                record(keys=[self.unacked_key, self.unacked_index_key], args=[delivery_tag, entry])
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 10) -> None:
        """Put messages whose lease has run out back into their queues, unless another worker does it just now."""
        try:
            with (
                self.channel.conn_or_acquire() as client,
                kombu_redis.Mutex(client, self.unacked_mutex_key, self.unacked_mutex_expire),
            ):
                expired = client.register_script(EXPIRED)
                for tag in expired(
                    keys=[self.unacked_index_key], args=[self.visibility_timeout, num or RESTORED_AT_ONCE]
                ):
                    self.restore_by_tag(tag, client)
        except kombu_redis.MutexHeld:
            return
        except ResponseError as error:
            # Full, or only to be read: it gets well again, and the messages are still there then.
            log.warning("messages of dead workers wait: Redis refuses to write (%s)", error)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put one message back into its queue; an entry that is no message is dropped, or it would come up for ever."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self.drop(tag, error)

    def drop(self, tag: Any, error: Exception) -> None:
        """Remove an entry that is no message, with a line in the log."""
        log.error("dropped an entry that is no Celery message: %s: %s", type(error).__name__, error)
        self._remove_from_indices(tag).execute()

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; Redis gets it with the next batch."""
        virtual.QoS.ack(self, delivery_tag)
        self._acknowledged.append(delivery_tag)
        self._has_acknowledged.set()

    def stop(self) -> None:
        """Send the last acknowledgements and end the threads; kombu may then restore the messages that are held."""
        self._stopped.set()
        self._has_acknowledged.set()
        # It uses the connection, which is closed after this.
        self._sender.join(RETRY_SECONDS)
        # If Redis is away, it delivers these messages again.
        with suppress(RedisError, OSError):
            self._send(self._collected())

    def _send_acknowledgements(self) -> None:
        while self._has_acknowledged.wait() and not self._stopped.wait(COLLECT_SECONDS):
            self._has_acknowledged.clear()
            tags = self._collected()
            try:
                self._send(tags)
            except (RedisError, OSError):
                self._acknowledged.extend(tags)
                self._has_acknowledged.set()
                self._stopped.wait(RETRY_SECONDS)

    def _collected(self) -> list[str]:
        return [self._acknowledged.popleft() for _ in range(len(self._acknowledged))]

    def _send(self, tags: list[str]) -> None:
        if tags:
            with self.pipe_or_acquire() as pipe:
                pipe.zrem(self.unacked_index_key, *tags).hdel(self.unacked_key, *tags).execute()

    def _renew_leases(self) -> None:
        client = None
        while not self._stopped.wait(self.visibility_timeout / 3):
            tags = list(self._delivered)
            if not tags:
                continue
            try:
                # A client with its own pool, because the connections of the channel belong to the consuming thread.
                client = client or self.channel.Client(connection_pool=self.channel._get_pool())
                client.register_script(RENEW)(keys=[self.unacked_index_key], args=tags)
            except (RedisError, OSError):
                client = None


class Channel(kombu_redis.Channel):
    """Takes messages in batches, needs no bindings in Redis, and survives a restart of Redis."""

    QoS = QoS
    # Names of our own: another Celery application on this database has its messages under kombu's, and its own timeout.
    unacked_key = UNACKED
    unacked_index_key = UNACKED_INDEX
    unacked_mutex_key = UNACKED_MUTEX
    _cached_client: Any = None

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

    def _brpop_read(self, **options: Any) -> Any:
        try:
            delivered = super()._brpop_read(**options)
        except (ValueError, KeyError, TypeError) as error:
            # It is not in Redis any more, and the error would end the worker.
            log.error("dropped an entry of a queue that is no Celery message: %s: %s", type(error).__name__, error)
            raise Empty from error
        # None on a channel without a prefetch count, such as one for replies: it takes one message at a time.
        capacity = self.qos.can_consume_max_estimate()
        if capacity and not self._closing:
            self._deliver_more(capacity)
        return delivered

    def _deliver_more(self, capacity: int) -> None:
        queues = self._queue_cycle.consume(len(self.active_queues))
        popped = self._create_client().register_script(POP)(
            keys=[self.unacked_key, self.unacked_index_key, *queues], args=[capacity]
        )
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
