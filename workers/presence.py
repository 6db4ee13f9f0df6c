"""The presence of this worker in the registry: loading what, ready, gone; and what dead workers have left behind."""

import atexit
import json
import threading
import time
from contextlib import suppress

import redis

from settings import load_settings
from tasks.broker import redis_client
from tasks.broker.scripts import run_script
from tasks.messages import Target
from tasks.queues import CONTROL, FILES, files_of_worker
from tasks.registry import (
    NO_MODELS,
    RENEW_SECONDS,
    WORKER_LEASE_SECONDS,
    WORKERS,
    Worker,
    announce,
    dead_workers,
    renew_worker,
    sign_off,
    this_process,
    worker_name,
)
from tasks.reports import report_loading

# What a dead worker held comes back into its own queue when the lease of its messages ends, so its entry is kept until
# long after that, and looked at again and again.
KEEP_SECONDS = 3600
LEAVE_SECONDS = 2.0
# While something is loaded somebody waits and looks on.
LOADING_STEP_SECONDS = 1.0
# kombu's names; it removes them itself only for a worker that stops in good order.
BINDINGS = ("_kombu.binding.", "_kombu.binding_permanent.")
BROADCASTS = f"{CONTROL}.pidbox"

# Moves what waits for one dead worker to all, and removes what kombu keeps for it.
# KEYS: WORKERS, its queue, the queue of all, its bindings, the bindings for broadcasts; ARGV: its name, seconds that it
# must be dead, seconds after which nothing of it is kept, its queue and that of all as JSON, the member of its binding.
_SWEEP = """
local ended = tonumber(string.match(redis.call('HGET', KEYS[1], ARGV[1]) or '', '^[%d.]+') or 0)
local dead = redis.call('TIME')[1] - ended
if dead < tonumber(ARGV[2]) then return 0 end
local moved = 0
while true do
  local raw = redis.call('RPOP', KEYS[2])
  if not raw then break end
  local first, last = string.find(raw, '"routing_key": ' .. ARGV[4], 1, true)
  if first then raw = string.sub(raw, 1, first - 1) .. '"routing_key": ' .. ARGV[5] .. string.sub(raw, last + 1) end
  redis.call('LPUSH', KEYS[3], raw)
  moved = moved + 1
end
redis.call('DEL', KEYS[4], KEYS[5])
redis.call('SREM', KEYS[6], ARGV[6])
redis.call('SREM', KEYS[7], ARGV[6])
if dead > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], ARGV[1]) end
return moved
"""


def sweep(client: redis.Redis, seconds: float = WORKER_LEASE_SECONDS) -> int:
    """Give the files in the queues of workers that are dead for so many seconds to all; returns how many messages."""
    moved = 0
    for node in dead_workers(client, seconds):
        own = files_of_worker(node)
        keys = [
            WORKERS,
            own,
            FILES,
            *(f"{kind}{own}" for kind in BINDINGS),
            *(f"{kind}{BROADCASTS}" for kind in BINDINGS),
        ]
        # kombu's separator between routing key, pattern and queue; a broadcast has neither of the first two.
        member = f"\x06\x16\x06\x16{node}.{BROADCASTS}"
        arguments: list[str | float] = [node, seconds, KEEP_SECONDS, json.dumps(own), json.dumps(FILES), member]
        moved += int(run_script(client, _SWEEP, keys, arguments))
    return moved


class Presence:
    """Says every RENEW_SECONDS, in a thread, that this worker lives, and sweeps what the dead have left."""

    def __init__(self, client: redis.Redis, name: str) -> None:
        self._client = client
        self._name = name
        self._has, self._device = NO_MODELS, ""
        self._is_ready = self._is_leaving = False
        self._loads, self._progress, self._since = "", "", 0.0
        self._news = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="registry", daemon=True)
        self._thread.start()
        atexit.register(self._gone)

    def tell(self, has: Target, device: str) -> Worker:
        """Say what this worker has and where it computes, and which worker it is."""
        self._has, self._device = has, device
        self._news.set()
        return this_process(self._name, has, device)

    def ready(self) -> None:
        """Say that it takes messages from now on."""
        self._is_ready = True
        self._news.set()

    def leave(self) -> None:
        """Say that it takes no message any more."""
        self._is_leaving = True
        self._news.set()

    def loads(self, what: str, progress: str) -> None:
        """Say what this worker downloads or loads, and how far it is: a `Report` of workers/checkpoints/lazy.py."""
        if what == self._loads:
            self._progress = progress
            return
        self._loads, self._progress, self._since = what, progress, time.monotonic()
        self._news.set()

    def _loading(self) -> str:
        what, progress = self._loads, self._progress
        if not what:
            return ""
        return f"{what}: {progress}" if progress else f"{what} {time.monotonic() - self._since:.0f} s"

    def _gone(self) -> None:
        self.leave()
        self._thread.join(LEAVE_SECONDS)

    def _renew(self) -> None:
        said_ready = said_loading = False
        while True:
            self._news.clear()
            is_ready, is_leaving = self._is_ready, self._is_leaving
            with suppress(redis.RedisError):  # without Redis there is nobody to be told; the lease runs out by itself
                if is_leaving:
                    sign_off(self._client, self._name)
                elif is_ready and not said_ready:
                    announce(self._client, self._name, self._has, self._device)
                    said_ready = True
                else:
                    renew_worker(self._client, self._name, is_ready, self._has, self._device)
                    sweep(self._client)
                if (loads := self._loading()) or said_loading:
                    report_loading(self._client, self._name, loads)
                    said_loading = bool(loads)
            if is_leaving:
                return
            self._news.wait(LOADING_STEP_SECONDS if self._loads else RENEW_SECONDS)


_presence: Presence | None = None


def sign_in(name: str) -> Presence:
    """The presence of this process, which is not ready yet; called before models are loaded or a catalog is opened."""
    global _presence
    if _presence is None:
        _presence = Presence(redis_client(load_settings()), worker_name(name))
    return _presence
