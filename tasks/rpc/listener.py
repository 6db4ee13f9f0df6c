"""Hears the answers to the questions of this process: one thread gives each of them to whoever waits.

Celery's backend for Redis keeps the result of a task under a key, and publishes it under the same name. A web server
has one thread for each client that waits; if each of them looked for its key, that would take more than what they wait
for. What is published while nobody is connected is not heard, so the keys are looked at from time to time as well.
"""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import cast
from uuid import uuid4
from weakref import WeakValueDictionary

import redis
from redis.exceptions import RedisError

from settings import Settings, load_settings
from tasks.broker import redis_client

# celery.backends.base.KeyValueStoreBackend.task_keyprefix
RESULT_KEY = "celery-task-meta-"
# How long a published answer is waited for before the keys are looked at.
LOOK_SECONDS = 1.0
# After so long without a question the connection is closed.
IDLE_SECONDS = 10.0
# Redis is away; whoever waits is told so by others.
AWAY_SECONDS = 0.5


class Answer:
    """The answer to one question, of which `name` is the id of its task; nobody hears it once this is gone."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.result = b""  # of the task, as Celery keeps it
        self._is_there = threading.Event()

    def comes(self, seconds: float) -> bool:
        """True if it is there, or comes within so many seconds."""
        return self._is_there.wait(seconds)

    def arrive(self, result: bytes) -> None:
        """Let whoever waits for it go on; the thread of the listener calls this."""
        self.result = result
        self._is_there.set()


class Listener:
    """The thread, which runs while somebody waits, and the answers that are waited for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Drawn anew for each process: no other one hears what is for this one.
        self._prefix = f"{uuid4().hex}-"
        self._count = 0
        self._waiting: WeakValueDictionary[str, Answer] = WeakValueDictionary()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def expect(self) -> Answer:
        """The answer to a new question, which is to be asked by its name."""
        with self._lock:
            self._count += 1
            answer = Answer(f"{self._prefix}{self._count}")
            self._waiting[answer.name] = answer
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="answers", daemon=True)
                self._thread.start()
        return answer

    def _run(self) -> None:
        while not self._is_idle():
            try:
                self._listen()
            except (RedisError, OSError):
                time.sleep(AWAY_SECONDS)

    def _is_idle(self) -> bool:
        """True where nobody waits: then the thread ends, and the next question starts another one."""
        with self._lock:
            if self._waiting:
                return False
            self._thread = None
            return True

    def _listen(self) -> None:
        """Hear answers until nobody has waited for IDLE_SECONDS; raises RedisError."""
        with redis_client(self.settings) as client, client.pubsub() as heard:
            heard.psubscribe(f"{RESULT_KEY}{self._prefix}*")
            last = looked = time.monotonic()
            while (now := time.monotonic()) - last < IDLE_SECONDS:
                message = heard.get_message(timeout=LOOK_SECONDS)
                if message is not None and message["type"] == "pmessage":
                    self._give({cast(bytes, message["channel"]).decode(): message["data"]}, client)
                elif message is not None or now - looked > LOOK_SECONDS:
                    # It hears from now on, or again; what was answered before lies under its key.
                    with self._lock:
                        keys = [RESULT_KEY + name for name in self._waiting]
                    if keys:
                        found = cast(Sequence[bytes | None], client.mget(keys))
                        self._give({key: raw for key, raw in zip(keys, found, strict=True) if raw is not None}, client)
                    looked = now
                if self._waiting:
                    last = now

    def _give(self, results: dict[str, bytes], client: redis.Redis) -> None:
        """Give these results, by their keys, to those who wait for them, and remove their copies in Redis."""
        for key, result in results.items():
            if (answer := self._waiting.pop(key.removeprefix(RESULT_KEY), None)) is not None:
                answer.arrive(result)
        if results:
            with suppress(RedisError):  # they are complete; the copies expire
                client.delete(*results)


_listener: Listener | None = None
_making = threading.Lock()


def listener() -> Listener:
    """The listener of this process, for the settings as they are."""
    global _listener
    settings = load_settings()
    with _making:
        if _listener is None or _listener.settings is not settings:
            _listener = Listener(settings)
        return _listener
