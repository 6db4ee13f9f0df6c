"""How much one client may send, and how often."""

import threading
import time

from starlette.types import Message, Receive

from web.problems import Refused

MINUTE = 60.0
MOST_CLIENTS = 10_000


class Rate:
    """Counts what each client has asked for in this minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def take(self, client: str, cost: int = 1) -> None:
        """Count a request; raises Refused with 429 where there were too many of this client's."""
        minute = int(time.monotonic() / MINUTE)
        with self._lock:
            if minute != self._minute or len(self._counts) > MOST_CLIENTS:
                self._minute = minute
                self._counts.clear()
            count = self._counts[client] = self._counts.get(client, 0) + cost
        if count > self._most:
            raise Refused(
                429,
                f"More than {self._most} requests in a minute: wait a minute (web.requests).",
                **{"Retry-After": "60"},
            )


def too_large(most: int) -> Refused:
    """The answer to a request that brings too much along."""
    return Refused(413, f"A request may bring {most:,} bytes along, and this one has more (web.upload_bytes).")


def limited(receive: Receive, most: int) -> Receive:
    """The same body, cut off with Refused once it has more than `most` bytes, whatever its header promised."""
    read = 0

    async def receive_some() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > most:
            raise too_large(most)
        return message

    return receive_some
