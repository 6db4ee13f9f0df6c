"""Celery messages from a template, to publish thousands a second.

Celery and kombu take some 150 microseconds to build a message, nearly all of it for parts that are equal in all
messages of a job. The template contains these parts, and the result is the same: protocol 2 of Celery
(https://docs.celeryq.dev/en/stable/internals/protocol.html) in the JSON envelope of kombu's Redis transport.
"""

import json
import os
import socket
from base64 import b64encode
from collections.abc import Iterable
from itertools import count
from typing import Any
from uuid import uuid4

import msgpack

_ID, _BODY, _ARGSREPR, _FILES = "\x01id\x01", "\x01body\x01", "\x01argsrepr\x01", "\x01files\x01"
# The header by which whoever looks for a file finds its message in a queue.
FILES_HEADER = "darkroom-files"
# What follows args and kwargs in the body: nothing is called back, chained or grouped.
_EMBED: dict[str, None] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def files_header(job: str, numbers: Iterable[int]) -> dict[str, str]:
    """The header of a message about these files of a job."""
    return {FILES_HEADER: f"{job}:{','.join(map(str, numbers))}"}


def header_text(job: str) -> str:
    """What stands in a message of this job before the numbers of its files, as JSON writes it."""
    return f"{json.dumps(FILES_HEADER)}: {json.dumps(f'{job}:')[:-1]}"


class Envelope:
    """Builds the messages of one task for one queue, all children of the task `parent`."""

    def __init__(self, task: str, queue: str, parent: str) -> None:
        self._parent = parent
        headers = _headers(task, _ID, parent, parent, _ARGSREPR, "{}") | {FILES_HEADER: _FILES}
        template = _message(headers, queue, _ID, _BODY)
        text = json.dumps(template).replace("%", "%%")
        for placeholder, name in ((_ID, "id"), (_BODY, "body"), (_ARGSREPR, "argsrepr"), (_FILES, "files")):
            text = text.replace(json.dumps(placeholder), f"%({name})s")
        self._text = text
        # A random prefix and a count, which is as unique as a random id for each message.
        self._id_prefix = str(uuid4())[:23]
        self._count = count()

    def message(self, arguments: dict[str, Any], argsrepr: str, numbers: Iterable[int]) -> str:
        """The message that calls the task with these keyword arguments about these files of the job `parent`.

        Flower shows `argsrepr` in the place of the arguments.
        """
        body = _body(arguments)
        identity = f"{self._id_prefix}-{next(self._count):012x}"
        files = files_header(self._parent, numbers)[FILES_HEADER]
        return self._text % {
            "id": f'"{identity}"',
            "body": f'"{body}"',
            "argsrepr": json.dumps(argsrepr),
            "files": json.dumps(files),
        }


def question_message(task: str, queue: str, identity: str, arguments: dict[str, Any], shown: str) -> str:
    """The message that calls a task whose result is kept; Flower shows `shown` in the place of the arguments.

    Raises UnicodeEncodeError for text that is no UTF-8.
    """
    headers = _headers(task, identity, identity, None, "()", shown) | {"ignore_result": False}
    return json.dumps(_message(headers, queue, identity, _body(arguments)))


def _body(arguments: dict[str, Any]) -> str:
    return b64encode(msgpack.packb([(), arguments, _EMBED])).decode()


def _headers(task: str, identity: str, root: str, parent: str | None, args: str, kwargs: str) -> dict[str, Any]:
    return {
        "lang": "py",
        "task": task,
        "id": identity,
        "group": None,
        "retries": 0,
        "timelimit": [None, None],
        "root_id": root,
        "parent_id": parent,
        "argsrepr": args,
        "kwargsrepr": kwargs,
        "origin": f"gen{os.getpid()}@{socket.gethostname()}",
    }


def _message(headers: dict[str, Any], queue: str, identity: str, body: str) -> dict[str, Any]:
    return {
        "body": body,
        "content-encoding": "binary",
        "content-type": "application/x-msgpack",
        "headers": headers,
        "properties": {
            "correlation_id": identity,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": identity,
        },
    }
