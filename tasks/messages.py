"""The messages of the queues `files` and `points`: typed here, dicts in msgpack on the wire.

Every message has a schema number, so that a worker of another release recognises that it cannot read it.
"""

from dataclasses import dataclass, field
from typing import Any

from settings.errors import DarkroomError
from tasks.outcomes import check_numbers

SCHEMA = 1


class UnknownSchema(DarkroomError):
    """A message of another release; it must be requeued, not dropped."""


@dataclass(frozen=True)
class FileItem:
    """One file of a job: its number in the job's ledger, and its URI."""

    number: int
    uri: str


@dataclass(frozen=True)
class FilesMessage:
    """Files for a GPU worker: one by default, or several.

    `tried` names the workers that could not reach these files.
    """

    job: str
    root: str
    files: list[FileItem]
    tried: list[str] = field(default_factory=list)

    def to_wire(self) -> dict[str, Any]:
        """The keyword arguments of the Celery task."""
        wire = {
            "schema": SCHEMA,
            "job": self.job,
            "root": self.root,
            "files": [[item.number, item.uri] for item in self.files],
        }
        return {**wire, "tried": self.tried} if self.tried else wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "FilesMessage":
        """Read a message; raises UnknownSchema for one of another release."""
        _check_schema(wire)
        files = [FileItem(int(number), uri) for number, uri in wire["files"]]
        check_numbers(item.number for item in files)
        return cls(wire["job"], wire["root"], files, list(wire.get("tried", [])))


@dataclass(frozen=True)
class PointsMessage:
    """A finished batch for the storage worker.

    `vectors` are the L2-normalised embeddings as little-endian float32 bytes, row after row, `dim` numbers a row.
    `reused[i]` is True if row i was copied from a point with the same content, without a model.
    """

    job: str
    clip_model: str
    dim: int
    numbers: list[int]
    vectors: bytes
    payloads: list[dict[str, Any]]
    reused: list[bool] = field(default_factory=list)

    def to_wire(self) -> dict[str, Any]:
        """The keyword arguments of the Celery task."""
        return {
            "schema": SCHEMA,
            "job": self.job,
            "clip_model": self.clip_model,
            "dim": self.dim,
            "numbers": self.numbers,
            "vectors": self.vectors,
            "payloads": self.payloads,
            "reused": self.reused,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "PointsMessage":
        """Read a message; raises UnknownSchema for one of another release, ValueError for incomplete vectors."""
        _check_schema(wire)
        message = cls(**{key: value for key, value in wire.items() if key != "schema"})
        check_numbers(message.numbers)
        if len(message.vectors) != 4 * message.dim * len(message.numbers):
            raise ValueError(
                f"{len(message.vectors)} bytes are not {len(message.numbers)} vectors of {message.dim} float32"
            )
        return message


def _check_schema(wire: dict[str, Any]) -> None:
    if wire.get("schema") != SCHEMA:
        raise UnknownSchema(
            f"A message of schema {wire.get('schema')!r} reached a worker that knows schema {SCHEMA}: "
            "run the same release everywhere."
        )
