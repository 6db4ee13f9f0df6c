"""Questions to the workers: tasks whose result the caller waits for.

A question says what it is for, like every message: a worker that keeps another collection, or has another model where
that matters, refuses it. Asking needs no Celery, which takes longer to import than most questions to be answered: the
message is one of its own (tasks/envelope.py), and the result lies where Celery's backend for Redis puts it.
"""

import threading
import time
from contextlib import suppress
from typing import Any, cast
from uuid import uuid4
from weakref import WeakValueDictionary

import msgpack
from redis.exceptions import RedisError

from settings.errors import DarkroomError, ServiceMissing, WrongUse
from tasks.broker import shared_client
from tasks.envelope import question_message
from tasks.messages import SCHEMA, Target
from tasks.queues import COLLECTION_NAME, FILES, ROUTES

# The errors that come back as what they were.
KINDS: dict[str, type[DarkroomError]] = {"WrongUse": WrongUse, "ServiceMissing": ServiceMissing}

# Flower shows longer lists and bytes by their length, and so many characters of all arguments, as Celery does.
MAX_SHOWN_ITEMS = 8
MAX_SHOWN_CHARACTERS = 1024
# Whoever waits looks for the answer after such a pause, at first, and then ever more rarely.
FIRST_PAUSE_SECONDS = 0.001
LONGEST_PAUSE_SECONDS = 0.02
# Where several questions wait, Redis is asked for the answers of all of them at once, and not more often than this.
LOOK_SECONDS = 0.004
# celery.backends.base.KeyValueStoreBackend.task_keyprefix
RESULT_KEY = "celery-task-meta-"

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
        self._id, self._result = str(uuid4()), cast(dict[str, Any] | None, None)
        _unanswered.add(self._id, self)
        self._publish()

    def ask_again(self) -> None:
        """Send it again unless it still waits in its queue: its worker may have died. The first answer counts."""
        if not self._in_queue(remove=False):
            self._publish()

    def withdraw(self) -> None:
        """Remove it from its queue where it still waits: whoever gives up must not have it done later."""
        self._in_queue(remove=True)

    def ready(self) -> bool:
        """True if the answer has come."""
        if self._result is None:
            _unanswered.look()
        return self._result is not None

    def _waits_for(self, name: str) -> bool:
        return self._id == name and self._result is None

    def wait(self, timeout: float) -> Any:
        """The answer, after at most `timeout` seconds.

        Raises the error of the worker, TimeoutError if no worker answered in time, RedisError if Redis is away.
        """
        reply = self._take(timeout)
        if "error" in reply:
            raise KINDS.get(reply["kind"], DarkroomError)(reply["error"])
        return reply["value"]

    def _take(self, timeout: float) -> Any:
        """The result of the task, whose copy in Redis is removed."""
        give_up, pause = time.monotonic() + timeout, FIRST_PAUSE_SECONDS
        while not self.ready():
            if time.monotonic() > give_up:
                raise TimeoutError(f"no answer to {self.task} in {timeout:g} s")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
        with suppress(RedisError):  # the answer is complete; its copy in Redis expires
            shared_client().delete(RESULT_KEY + self._id)
        result, self._result = cast(dict[str, Any], self._result), None
        if result["status"] == "SUCCESS":
            return result["result"]
        raised = result["result"]
        sentence = " ".join(map(str, raised["exc_message"]))
        if raised["exc_type"] in KINDS:
            raise KINDS[raised["exc_type"]](sentence)
        raise DarkroomError(f"The worker could not answer ({raised['exc_type']}: {sentence}): see its log.")

    def _publish(self) -> None:
        try:
            message = question_message(self.task, self._queue, self._id, self._wire, self._shown)
        except UnicodeEncodeError as error:
            raise WrongUse(f"What is asked cannot be sent, for it holds bytes that are no UTF-8 ({error}).") from error
        shared_client().lpush(self._queue, message)

    def _in_queue(self, remove: bool) -> int:
        script = shared_client().register_script(_IN_QUEUE)
        return int(cast(int, script(keys=[self._queue], args=[self._id, int(remove)])))


class _Unanswered:
    """The questions of this process that have no answer yet: whichever thread looks for its own looks for all of them.

    A web server has one thread for each client that waits; if each asked Redis for itself, that would take more than
    what they wait for.
    """

    def __init__(self) -> None:
        self._questions: WeakValueDictionary[str, Question] = WeakValueDictionary()
        self._changing, self._looking = threading.Lock(), threading.Lock()
        self._looked = 0.0

    def add(self, name: str, question: Question) -> None:
        """A question that was asked."""
        with self._changing:
            self._questions[name] = question

    def look(self) -> None:
        """Give each question the answer that has come for it; raises RedisError."""
        if not self._looking.acquire(blocking=False):
            return  # another thread does it
        try:
            with self._changing:
                asked = {name: each for name, each in self._questions.items() if each._waits_for(name)}
                self._questions = WeakValueDictionary(asked)
            if not asked or (len(asked) > 1 and time.monotonic() - self._looked < LOOK_SECONDS):
                return
            answers = cast(list[bytes | None], shared_client().mget([RESULT_KEY + name for name in asked]))
            self._looked = time.monotonic()
            for (name, question), stored in zip(asked.items(), answers, strict=True):
                if stored is not None and question._waits_for(name):
                    question._result = msgpack.unpackb(stored, raw=False, strict_map_key=False)
        finally:
            self._looking.release()


_unanswered = _Unanswered()


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
