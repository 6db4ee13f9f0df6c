"""Questions to the workers: tasks whose result the caller waits for.

A question says what it is for, like every message: a worker that keeps another collection, or has another model where
that matters, refuses it. Asking needs no Celery, which takes longer to import than most questions to be answered: the
message is one of its own (tasks/envelope.py), and the result is heard by tasks/rpc/listener.py.
"""

from typing import Any, cast

import msgpack

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.broker import shared_client
from tasks.envelope import question_message
from tasks.messages import SCHEMA, Target
from tasks.queues import COLLECTION_NAME, FILES, ROUTES
from tasks.rpc.listener import listener

# The errors that come back as what they were.
KINDS: dict[str, type[DarkroomError]] = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing}

# Flower shows longer lists and bytes by their length, and so many characters of all arguments, as Celery does.
MAX_SHOWN_ITEMS = 8
MAX_SHOWN_CHARACTERS = 1024

# KEYS: a queue; ARGV: the id of a task, 1 to remove it. How many messages about the task wait there.
_IN_QUEUE = """
local found = 0
for _, raw in ipairs(redis.call('LRANGE', KEYS[1], 0, -1)) do
  if string.find(raw, ARGV[1], 1, true) then
    found = found + 1
    if ARGV[2] == '1' then redis.call('LREM', KEYS[1], 1, raw) end
  end
end
return found
"""


def _shown(arguments: dict[str, Any]) -> str:
    """The arguments as Flower shows them; Celery would format thousands of numbers and then cut the text off."""

    def shortened(value: Any) -> str:
        if isinstance(value, bytes | list) and len(value) > MAX_SHOWN_ITEMS:
            return f"<{len(value):,} {'bytes' if isinstance(value, bytes) else 'items'}>"
        return repr(value)

    return f"{{{', '.join(f'{name}: {shortened(value)}' for name, value in arguments.items())}}}"[:MAX_SHOWN_CHARACTERS]


class Question:
    """A question that was sent; `wait` returns the answer.

    `target` is what it is for; by default the collection of the settings, with whatever models.
    """

    def __init__(self, task: str, target: Target | None = None, **arguments: Any) -> None:
        wire = (target or Target(COLLECTION_NAME)).to_wire()
        self._send(task, {"schema": SCHEMA, "target": wire, **arguments}, _shown(arguments))

    def _send(self, task: str, wire: dict[str, Any], shown: str) -> None:
        self.task = task
        self._wire, self._shown = wire, shown
        self._queue: str = ROUTES.get(task, {}).get("queue", FILES)
        self.ask_anew()

    def ask_anew(self) -> None:
        """Ask as another question: the first time, and after the answer was that it cannot be answered now.

        Raises WrongUse for what is no message: text that is no UTF-8 comes from a name on somebody's command line.
        """
        self._answer = listener().expect()
        self._publish()

    def ask_again(self) -> None:
        """Send it again unless it still waits in its queue: its worker may have died. The first answer counts."""
        if not self._in_queue(remove=False):
            self._publish()

    def withdraw(self) -> None:
        """Remove it from its queue where it still waits: whoever gives up must not have it done later."""
        self._in_queue(remove=True)

    def ready(self, seconds: float = 0.0) -> bool:
        """True if the answer has come, or comes within so many seconds."""
        return self._answer.comes(seconds)

    def wait(self, timeout: float) -> Any:
        """The answer, after at most `timeout` seconds.

        Raises the error of the worker, and TimeoutError if no answer has come in time.
        """
        reply = self._take(timeout)
        if "error" in reply:
            raise KINDS.get(reply["kind"], DarkroomError)(reply["error"])
        return reply["value"]

    def _take(self, timeout: float) -> Any:
        """The result of the task."""
        if not self.ready(timeout):
            raise TimeoutError(f"no answer to {self.task} in {timeout:g} s")
        result: dict[str, Any] = msgpack.unpackb(self._answer.result, raw=False, strict_map_key=False)
        if result["status"] == "SUCCESS":
            return result["result"]
        raised = result["result"]
        sentence = " ".join(map(str, raised["exc_message"]))
        if raised["exc_type"] in KINDS:
            raise KINDS[raised["exc_type"]](sentence)
        raise DarkroomError(f"The worker could not answer ({raised['exc_type']}: {sentence}): see its log.")

    def _publish(self) -> None:
        try:
            message = question_message(self.task, self._queue, self._answer.name, self._wire, self._shown)
        except UnicodeEncodeError as error:
            raise WrongUse(f"What is asked cannot be sent, for it holds bytes that are no UTF-8 ({error}).") from error
        shared_client().lpush(self._queue, message)

    def _in_queue(self, remove: bool) -> int:
        script = shared_client().register_script(_IN_QUEUE)
        return int(cast(int, script(keys=[self._queue], args=[self._answer.name, int(remove)])))


class JsonQuestion(Question):
    """A task that other programs call as well: it takes plain fields, and its result or its error is the answer."""

    def __init__(self, task: str, **fields: Any) -> None:
        self._send(task, fields, _shown(fields))

    def wait(self, timeout: float) -> Any:
        """See Question."""
        return self._take(timeout)


def ask(task: str, timeout: float, target: Target | None = None, **arguments: Any) -> Any:
    """Ask and wait: see `Question`."""
    return Question(task, target, **arguments).wait(timeout)
