"""Questions to the workers: tasks whose result the caller waits for.

A question says what it is for, like every message: a worker that keeps another collection, or has another model where
that matters, refuses it. Asking needs no Celery, which takes longer to import than most questions to be answered: the
message is one of its own (tasks/envelope.py), and the result is heard by tasks/rpc/listener.py. What makes a message
large, such as pictures, lies under a key beside it: a message is written, copied and parsed several times on its way.
"""

from typing import Any

import msgpack

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.broker import shared_client
from tasks.broker.scripts import run_script
from tasks.envelope import question_message
from tasks.messages import SCHEMA, Target
from tasks.queues import COLLECTION_NAME, FILES, PREFIX, ROUTES
from tasks.rpc.listener import listener

# The errors that come back as what they were.
KINDS: dict[str, type[DarkroomError]] = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing}

# Flower shows longer lists and bytes by their length, and so many characters of all arguments, as Celery does.
MAX_SHOWN_ITEMS = 8
MAX_SHOWN_CHARACTERS = 1024
# The arguments of a question that take more bytes than this lie beside its message, for as long as anybody may wait.
MOST_IN_MESSAGE = 16_384
BESIDE_SECONDS = 3600

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
        return f"[{', '.join(map(shortened, value))}]" if isinstance(value, list) else repr(value)

    return f"{{{', '.join(f'{name}: {shortened(value)}' for name, value in arguments.items())}}}"[:MAX_SHOWN_CHARACTERS]


def beside(name: str) -> str:
    """The key of what lies beside the message of the question `name`."""
    return f"{PREFIX}:question:{name}"


class Question:
    """A question that was sent; `wait` returns the answer.

    `target` is what it is for; by default the collection of the settings, with whatever models.
    """

    def __init__(self, task: str, target: Target | None = None, **arguments: Any) -> None:
        self.task = task
        self._target = (target or Target(COLLECTION_NAME)).to_wire()
        self._arguments = arguments
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
        shared_client().delete(beside(self._answer.name))

    def ready(self, seconds: float = 0.0) -> bool:
        """True if the answer has come, or comes within so many seconds."""
        return self._answer.comes(seconds)

    def wait(self, timeout: float) -> Any:
        """The answer, after at most `timeout` seconds.

        Raises the error of the worker, and TimeoutError if no answer has come in time.
        """
        if not self.ready(timeout):
            raise TimeoutError(f"no answer to {self.task} in {timeout:g} s")
        result: dict[str, Any] = msgpack.unpackb(self._answer.result, raw=False, strict_map_key=False)
        reply = result["result"]
        if result["status"] != "SUCCESS":  # Celery itself could not do it
            sentence = " ".join(map(str, reply["exc_message"]))
            raise DarkroomError(f"The worker could not answer ({reply['exc_type']}: {sentence}): see its log.")
        if "error" in reply:
            raise KINDS.get(reply["kind"], DarkroomError)(reply["error"])
        return reply["value"]

    def _publish(self) -> None:
        name, wire = self._answer.name, {"schema": SCHEMA, "target": self._target}
        try:
            packed: bytes = msgpack.packb(self._arguments)
            is_large = len(packed) > MOST_IN_MESSAGE
            arguments = {**wire, "beside": True} if is_large else {**wire, **self._arguments}
            message = question_message(self.task, self._queue, name, arguments, _shown(self._arguments))
        except UnicodeEncodeError as error:
            raise WrongUse(f"What is asked cannot be sent, for it holds bytes that are no UTF-8 ({error}).") from error
        if is_large:
            shared_client().set(beside(name), packed, ex=BESIDE_SECONDS)
        shared_client().lpush(self._queue, message)

    def _in_queue(self, remove: bool) -> int:
        return int(run_script(shared_client(), _IN_QUEUE, [self._queue], [self._answer.name, int(remove)]))


def ask(task: str, timeout: float, target: Target | None = None, **arguments: Any) -> Any:
    """Ask and wait: see `Question`."""
    return Question(task, target, **arguments).wait(timeout)
