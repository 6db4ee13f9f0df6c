"""A worker in the hands of a test: its channel on the real transport, the messages that it holds, and its death."""

import copy
from contextlib import suppress
from types import SimpleNamespace

import redis
from kombu.connection import Connection
from kombu.message import Message
from kombu.messaging import Consumer

from tasks.app import app
from tasks.queues import UNACKED
from tests.until import until

PREFETCH = 3


class Died(BaseException):
    """The process is gone: nothing after this line was run."""


class Hands:
    """A worker's channel on the real transport, and the messages that it holds."""

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.held: list[Message] = []
        self._connection: Connection = app.connection_for_read()
        self.channel = self._connection.channel()
        queues = [app.amqp.queues.new_missing(queue)]
        accept = app.conf.accept_content
        Consumer(self.channel, queues, on_message=self.held.append, accept=accept, prefetch_count=PREFETCH).consume()

    def take(self, client: redis.Redis) -> None:
        """Take as many messages as there are places; nothing where none waits, for BRPOP would then stay open."""
        if client.llen(self.queue) and len(self.held) < PREFETCH:
            with suppress(TimeoutError, OSError):
                self._connection.drain_events(timeout=5)

    def acknowledge(self, message: Message, client: redis.Redis) -> None:
        """Acknowledge a message, and wait until Redis knows."""
        message.ack()
        until(lambda: not client.hexists(UNACKED, message.delivery_tag), "the acknowledgement")

    def renew(self) -> None:
        """One round of the thread that renews leases."""
        round_ = copy.copy(self.channel.qos)
        rounds = iter([False, True])
        round_._stopped = SimpleNamespace(wait=lambda seconds: next(rounds))
        round_._renew_leases()

    def restore(self) -> None:
        """What every channel does each few seconds: put messages whose lease has run out back into their queues."""
        self.channel.qos.restore_visible()

    def die(self) -> None:
        """As after SIGKILL: nothing is acknowledged or given back any more."""
        qos = self.channel.qos
        qos._stopped.set()
        qos._acknowledged.clear()
        qos._delivered.clear()
        self.held.clear()
        self._connection.close()
