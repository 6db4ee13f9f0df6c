"""What a channel holds: acknowledgements in batches, leases that are renewed, messages of dead workers restored."""

import logging
import threading
from collections import deque
from contextlib import suppress
from typing import Any

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from kombu.utils.json import dumps, loads
from redis.exceptions import RedisError, ResponseError

from settings.redis_errors import refusal
from tasks.broker.scripts import run_script
from tasks.recoveries import recovered
from tasks.transport.scripts import EXPIRED, FORGET, RECORD, RENEW, RESTORE

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
                run_script(client, RECORD, [self.unacked_key, self.unacked_index_key], [delivery_tag, entry])
            virtual.QoS.append(self, message, delivery_tag)

    def restore_visible(self, start: int = 0, num: int | None = None, interval: int = 10) -> None:
        """Put messages whose lease has run out back into their queues."""
        with self.channel.conn_or_acquire() as client:
            arguments = [self.visibility_timeout, num or RESTORED_AT_ONCE]
            tags = run_script(client, EXPIRED, [self.unacked_index_key], arguments)
            try:
                # Without kombu's lock, which a full Redis refuses: two who restore the same message restore it once.
                for tag in tags:
                    self.restore_by_tag(tag, client)
                if tags:
                    recovered(client, "lease_ran_out", len(tags))
            except ResponseError as error:
                # It is only to be read for now: the messages are still there when it gets well again.
                log.warning("messages of dead workers wait: Redis %s", refusal(error) or error)

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put one message back into its queue; an entry that is no message is dropped, or it would come up for ever."""
        with self.channel.conn_or_acquire(client) as connection:
            entry = connection.hget(self.unacked_key, tag)
            queues: list[str] = []
            message = ""
            try:
                if entry is not None:
                    payload, exchange, routing_key = loads(entry.decode())
                    payload["headers"]["redelivered"] = payload["properties"]["delivery_info"]["redelivered"] = True
                    queues = [
                        self.channel._q_for_pri(queue, 0) for queue in self.channel._lookup(exchange, routing_key)
                    ]
                    message = dumps(payload)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                self.drop(tag, error)
                return
            keys = [self.unacked_key, self.unacked_index_key, *queues]
            run_script(connection, RESTORE, keys, [tag, "LPUSH" if leftmost else "RPUSH", message])

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Give a message back to its queue, or drop it."""
        if not requeue:
            self.ack(delivery_tag)
            return
        try:
            self.restore_by_tag(delivery_tag, leftmost=True)
        except ResponseError as error:
            log.warning("a message comes back when its lease ends: Redis %s", refusal(error) or error)
        virtual.QoS.ack(self, delivery_tag)

    def drop(self, tag: Any, error: Exception) -> None:
        """Remove an entry that is no message, with a line in the log."""
        log.error("dropped an entry that is no Celery message: %s: %s", type(error).__name__, error)
        self._send([tag])
        with self.channel.conn_or_acquire() as client:
            recovered(client, "entry_dropped")

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
            with self.channel.conn_or_acquire() as client:
                run_script(client, FORGET, [self.unacked_key, self.unacked_index_key], tags)

    def _renew_leases(self) -> None:
        client = None
        while not self._stopped.wait(self.visibility_timeout / 3):
            tags = list(self._delivered)
            if not tags:
                continue
            try:
                # A client with its own pool, because the connections of the channel belong to the consuming thread.
                client = client or self.channel.Client(connection_pool=self.channel._get_pool())
                run_script(client, RENEW, [self.unacked_index_key], tags)
            except (RedisError, OSError):
                client = None
