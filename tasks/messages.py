"""What a message is for, and the messages of the queues `files` and `points`: typed here, in msgpack on the wire.

Every message has a schema number, and so have the names of the queues: a message of another release waits in a queue of
its own until a worker of that release takes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from settings.errors import DarkroomError
from tasks.outcomes import check_numbers

SCHEMA = 3
# Files in one message where all workers compute on GPUs and the settings leave it open: a message costs as much as a
# small file, and a GPU takes thousands of those a second.
GPU_FILES_PER_TASK = 8


class UnknownSchema(DarkroomError):
    """A message of another release in a queue of this one, where no release puts it."""


@dataclass(frozen=True)
class Target:
    """What a message is for, and what a worker has: a collection, and the names of the checkpoints that fill it.

    None stands for any model: the message does not depend on it, or the worker has none. `blip` is empty where no
    captions are written, `ocr` where no text is read: a worker that could does neither for such a message.
    """

    collection: str
    clip: str | None = None
    blip: str | None = None
    ocr: str | None = None

    def to_wire(self) -> list[str | None]:
        """The same as a list."""
        return [self.collection, self.clip, self.blip, self.ocr]

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> "Target":
        """Read what `to_wire` wrote."""
        return cls(*wire)

    def mismatch(self, worker: str, has: "Target") -> str:
        """Why a worker that `has` other things must not do this, in one sentence; empty where it may."""
        if has == self:
            return ""
        if has.collection != self.collection:
            return (
                f"{worker} keeps the collection {has.collection!r}, and this is for {self.collection!r}: "
                "set qdrant.collection to the same name for both."
            )
        if self.clip is not None and has.clip not in (self.clip, None):
            return (
                f"{worker} has the CLIP model {has.clip}, and this is for {self.clip}: set models.clip to the same "
                "checkpoint for both, and start the workers anew if theirs changes."
            )
        if self.blip and has.blip not in (self.blip, None):
            key = "models.blip" if self.blip and has.blip else "models.captions"
            return (
                f"{worker} writes {_captions(has.blip)}, and this is for {_captions(self.blip)}: set {key} to the same "
                "value for both, and start the workers anew if theirs changes."
            )
        if self.ocr and has.ocr not in (self.ocr, None):
            return (
                f"{worker} reads no text in pictures, and this is for {self.ocr}: set models.ocr to the same value for "
                "both, and start the workers anew if theirs changes."
            )
        return ""


def _captions(blip: str | None) -> str:
    return f"captions by {blip}" if blip else "no captions"


@dataclass(frozen=True, slots=True)
class FileItem:
    """One file of a job: its number in the job's ledger, and its URI.

    `may_have_sidecar` is False where the scan has seen that none lies beside it, so that no worker looks for one.
    """

    number: int
    uri: str
    may_have_sidecar: bool = True

    def to_wire(self) -> list[Any]:
        """The same as a list, which is as short as it can be."""
        return [self.number, self.uri] if self.may_have_sidecar else [self.number, self.uri, False]

    @classmethod
    def from_wire(cls, wire: Sequence[Any]) -> "FileItem":
        """Read what `to_wire` wrote."""
        number, uri, *rest = wire
        return cls(int(number), uri, *rest)


@dataclass(frozen=True)
class FilesMessage:
    """Files for a GPU worker: one by default, or several.

    `tried` names the workers that could not do these files: they cannot reach them, or have other models.
    """

    target: Target
    job: str
    root: str
    files: list[FileItem]
    tried: list[str] = field(default_factory=list)

    def to_wire(self) -> dict[str, Any]:
        """The keyword arguments of the Celery task."""
        wire = {
            "schema": SCHEMA,
            "target": self.target.to_wire(),
            "job": self.job,
            "root": self.root,
            "files": [item.to_wire() for item in self.files],
        }
        return {**wire, "tried": self.tried} if self.tried else wire

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "FilesMessage":
        """Read a message; raises UnknownSchema for one of another release."""
        check_schema(wire)
        files = [FileItem.from_wire(item) for item in wire["files"]]
        check_numbers(item.number for item in files)
        return cls(Target.from_wire(wire["target"]), wire["job"], wire["root"], files, list(wire.get("tried", [])))


@dataclass(frozen=True)
class PointsMessage:
    """A finished batch for the storage worker; its target names the models that made it.

    `vectors` are the L2-normalised embeddings as little-endian float32 bytes, row after row, `dim` numbers a row.
    `reused[i]` is True if row i was copied from a point with the same content, without a model.
    """

    target: Target
    job: str
    dim: int
    numbers: list[int]
    vectors: bytes
    payloads: list[dict[str, Any]]
    reused: list[bool] = field(default_factory=list)

    @property
    def clip_model(self) -> str:
        """The model that made the vectors."""
        return self.target.clip or ""

    def to_wire(self) -> dict[str, Any]:
        """The keyword arguments of the Celery task."""
        return {
            "schema": SCHEMA,
            "target": self.target.to_wire(),
            "job": self.job,
            "dim": self.dim,
            "numbers": self.numbers,
            "vectors": self.vectors,
            "payloads": self.payloads,
            "reused": self.reused,
        }

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "PointsMessage":
        """Read a message; raises UnknownSchema for one of another release, ValueError for incomplete vectors."""
        check_schema(wire)
        fields = {key: value for key, value in wire.items() if key != "schema"}
        message = cls(**{**fields, "target": Target.from_wire(wire["target"])})
        check_numbers(message.numbers)
        if len(message.vectors) != 4 * message.dim * len(message.numbers):
            raise ValueError(
                f"{len(message.vectors)} bytes are not {len(message.numbers)} vectors of {message.dim} float32"
            )
        return message


def check_schema(wire: dict[str, Any]) -> None:
    """Raise UnknownSchema unless this release has made the message."""
    if wire.get("schema") != SCHEMA:
        raise UnknownSchema(
            f"A message of schema {wire.get('schema')!r} reached a worker that knows schema {SCHEMA}: "
            "run the same release everywhere."
        )
