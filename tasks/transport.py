"""Darkroom's Redis transport: kombu's, with what it lacks for small, lasting and safe deliveries.

It takes messages many at a time and acknowledges them many at a time, renews the lease of what a living worker holds,
and survives a restart of Redis. docs/architecture.md lists every private name of kombu that it relies on.
"""

import json
import logging
import threading
import time
from collections import deque
from contextlib import suppress
from queue import Empty
from typing import Any

from kombu.transport import redis as kombu_redis
from kombu.transport import virtual
from kombu.utils.json import loads
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tasks.queues import QUEUES

log = logging.getLogger("darkroom.transport")

# How long acknowledgements gather. One that a kill takes with it costs a redelivery, which is harmless at every step.
GATHER_SECONDS = 0.005
AWAY_SECONDS = 0.5

# Pops and notes who holds it in one step, so what is taken here cannot get lost in between.
# KEYS: unacked, unacked_index, queue, queue, ...; ARGV: how many, now
# What is no message stays where it is: `_brpop_read` drops it.
_TAKE = """
local function parts(raw)
  local properties = cjson.decode(raw)['properties']
  local info = properties['delivery_info']
  return properties['delivery_tag'], cjson.encode(info['exchange']), cjson.encode(info['routing_key'])
end
local taken = {}
for i = 3, #KEYS do
  while #taken < 2 * tonumber(ARGV[1]) do
    local raw = redis.call('RPOP', KEYS[i])
    if not raw then break end
    local good, tag, exchange, key = pcall(parts, raw)
    if not good or type(tag) ~= 'string' then
      redis.call('RPUSH', KEYS[i], raw)
      return taken
    end
    redis.call('ZADD', KEYS[2], ARGV[2], tag)
    redis.call('HSET', KEYS[1], tag, '[' .. raw .. ', ' .. exchange .. ', ' .. key .. ']')
    taken[#taken + 1] = KEYS[i]
    taken[#taken + 1] = raw
  end
end
return taken
"""


class QoS(kombu_redis.QoS):
    """Acknowledges in batches and renews the lease of what a living worker holds, each from a thread of its own.

    kombu counts the visibility timeout from the delivery and never renews it, so that a picture that takes longer
    would be handed to a second worker. A short timeout is wanted all the same: it is how long the files of a
    killed worker wait. The thread outlives every slow task.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.noted: set[str] = set()
        self._acknowledged: deque[str] = deque()
        self._any = threading.Event()
        self._ended = threading.Event()
        self._sender = threading.Thread(target=self._send_acknowledgements, name="acknowledge", daemon=True)
        self._sender.start()
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def append(self, message: Any, delivery_tag: str) -> None:
        """Remember a message that was delivered, and note it in Redis unless that is done already."""
        if delivery_tag in self.noted:
            self.noted.discard(delivery_tag)
            virtual.QoS.append(self, message, delivery_tag)
        else:
            super().append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Acknowledge a message; Redis hears of it in a moment."""
        virtual.QoS.ack(self, delivery_tag)
        self._acknowledged.append(delivery_tag)
        self._any.set()

    def end(self) -> None:
        """Send what is left and end the threads; whatever is still held may then be restored by others."""
        self._ended.set()
        self._any.set()
        # Its connection is about to be closed under it.
        self._sender.join(AWAY_SECONDS)
        # A Redis that is away hands these messages out again.
        with suppress(RedisError, OSError):
            self._forget(self._gathered())

    def _send_acknowledgements(self) -> None:
        while self._any.wait() and not self._ended.wait(GATHER_SECONDS):
            self._any.clear()
            tags = self._gathered()
            try:
                self._forget(tags)
            except (RedisError, OSError):
                self._acknowledged.extend(tags)
                self._any.set()
                self._ended.wait(AWAY_SECONDS)

    def _gathered(self) -> list[str]:
        return [self._acknowledged.popleft() for _ in range(len(self._acknowledged))]

    def _forget(self, tags: list[str]) -> None:
        if tags:
            with self.pipe_or_acquire() as pipe:
                pipe.zrem(self.unacked_index_key, *tags).hdel(self.unacked_key, *tags).execute()

    def _renew(self) -> None:
        client = None
        while not self._ended.wait(self.visibility_timeout / 3):
            held = list(self._delivered)
            if not held:
                continue
            try:
                # A client of its own: the channel's connection belongs to the thread that consumes.
                client = client or self.channel.Client(connection_pool=self.channel._get_pool())
                now = time.time()
                client.zadd(self.unacked_index_key, dict.fromkeys(held, now), xx=True)
            except (RedisError, OSError):
                client = None


class Channel(kombu_redis.Channel):
    """A Redis channel that takes messages in bulk, keeps their leases and survives a restart of Redis."""

    QoS = QoS
    _publisher: Any = None

    def _create_client(self, asynchronous: bool = False) -> Any:
        # kombu makes a client for every command, and a client's table of replies costs more than the command.
        if asynchronous:
            return super()._create_client(asynchronous=True)
        if self._publisher is None or self._publisher.connection_pool is not self.pool:
            self._publisher = super()._create_client()
        return self._publisher

    def get_table(self, exchange: str) -> list[tuple[str, ...]]:
        """The queues behind an exchange; behind ours stands the queue of the same name.

        kombu asks Redis for every message, and it writes a queue's binding once for each connection: a Redis that lost
        its data has lost the bindings, too, and then kombu drops every message of a living process without a word.
        """
        if exchange in QUEUES:
            return [(exchange, "", exchange)]
        table: list[tuple[str, ...]] = super().get_table(exchange)
        return table

    def _brpop_read(self, **options: Any) -> Any:
        try:
            came = super()._brpop_read(**options)
        except (ValueError, KeyError, TypeError) as error:
            # Redis has given it away already, and a worker that ended over it would take its neighbours along.
            log.error("dropped what is no message of Celery's: %s: %s", type(error).__name__, error)
            raise Empty from error
        room = self.qos.can_consume_max_estimate()
        if room and not self._closing:
            self._take(room)
        return came

    def _take(self, room: int) -> None:
        client = self._create_client()
        queues = self._queue_cycle.consume(len(self.active_queues))
        found = client.register_script(_TAKE)(
            keys=[self.unacked_key, self.unacked_index_key, *queues], args=[room, time.time()]
        )
        for queue, raw in zip(found[::2], found[1::2], strict=True):
            # kombu looks at every object for its own spelling of dates and the like; ours are plain.
            payload = loads(raw.decode()) if b'"__type__"' in raw else json.loads(raw)
            self.qos.noted.add(payload["properties"]["delivery_tag"])
            self.connection._deliver(payload, queue.decode())

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # After a lost connection kombu may restore messages on a channel whose connection is closed already; the
        # AttributeError it meets there ends the whole worker, while a ConnectionError is retried.
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the connection of this channel is closed")
        return dict(super()._connparams(asynchronous=asynchronous))

    def close(self) -> None:
        """Close the channel and end what its threads do."""
        if self._qos is not None:
            self._qos.end()
        super().close()


class Transport(kombu_redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = Channel
