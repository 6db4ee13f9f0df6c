"""The few lines in which Darkroom's Redis transport differs from kombu's, each with its reason."""

import threading
import time
from typing import Any

from kombu.transport import redis as kombu_redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

from tasks.round_trips import BulkChannel, GatheringQoS


class LeasedQoS(GatheringQoS):
    """Renews the lease of what a living worker still holds.

    kombu counts the visibility timeout from the delivery and never renews it, so that a picture that takes longer
    would be handed to a second worker. A short timeout is wanted all the same: it is how long the files of a
    killed worker wait. A thread that outlives every slow task renews the tags this channel holds.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._closed = threading.Event()
        threading.Thread(target=self._renew, name="lease", daemon=True).start()

    def _renew(self) -> None:
        client = None
        while not self._closed.wait(self.visibility_timeout / 3):
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

    def stop_renewing(self) -> None:
        """End the thread; whatever is still held may then be restored by others."""
        self._closed.set()


class Channel(BulkChannel):
    """A Redis channel that survives a restart of Redis and keeps its leases."""

    QoS = LeasedQoS

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        # After a lost connection kombu may restore messages on a channel whose connection is closed already; the
        # AttributeError it meets there ends the whole worker, while a ConnectionError is retried.
        if self.connection is None or self.connection.client is None:
            raise RedisConnectionError("the connection of this channel is closed")
        return dict(super()._connparams(asynchronous=asynchronous))

    def close(self) -> None:
        """Close the channel and end the renewal of its leases."""
        if self._qos is not None:
            self._qos.stop_renewing()
            self._qos.end()
        super().close()


class Transport(kombu_redis.Transport):
    """kombu's Redis transport with the channel above."""

    Channel = Channel
