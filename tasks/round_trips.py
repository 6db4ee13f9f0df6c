"""Fewer round trips to Redis than kombu makes: messages taken many at a time, acknowledged many at a time.

kombu asks for one message at a time, notes in a second round trip who holds it, and removes the note in a third. For
small work that is most of what a worker does, and Redis with it.
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


class GatheringQoS(kombu_redis.QoS):
    """Acknowledges in batches, from a thread of its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.noted: set[str] = set()
        self._acknowledged: deque[str] = deque()
        self._any = threading.Event()
        self._ended = threading.Event()
        self._sender = threading.Thread(target=self._send_acknowledgements, name="acknowledge", daemon=True)
        self._sender.start()

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
        """Send what is left and end the thread."""
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


class BulkChannel(kombu_redis.Channel):
    """Takes as many messages as there is room for whenever one has come."""

    QoS = GatheringQoS
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
