"""Results as typed records, in sequences that turn into dicts and into Arrow tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload

from pictures.picture import with_modified_at
from pictures.uris import path_of, point_id
from settings.extras import require

if TYPE_CHECKING:
    import numpy as np
    import pyarrow
    from numpy.typing import NDArray


class Record(Protocol):
    """One result: a frozen dataclass that tells its columns."""

    def to_dict(self) -> dict[str, Any]:
        """Column -> value, JSON values only."""


R = TypeVar("R", bound=Record)


class Records(Sequence[R], Generic[R]):
    """Some results in their order; a slice of them is the same kind of sequence."""

    def __init__(self, records: Iterable[R] = ()) -> None:
        self._records = tuple(records)

    @overload
    def __getitem__(self, index: int) -> R: ...

    @overload
    def __getitem__(self, index: slice) -> "Records[R]": ...

    def __getitem__(self, index: int | slice) -> "R | Records[R]":
        return Records(self._records[index]) if isinstance(index, slice) else self._records[index]

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self._records)!r})"

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dict a record."""
        return [record.to_dict() for record in self._records]

    def to_arrow(self) -> "pyarrow.Table":
        """A row a record, with every column that one of them has; raises ServiceMissing where pyarrow is missing."""
        return arrow_table(self.to_dicts())


def arrow_table(rows: Sequence[Mapping[str, Any]]) -> "pyarrow.Table":
    """A table of these rows; a column that a row lacks is null in it."""
    require("pyarrow", "export", "Arrow tables need pyarrow")
    import pyarrow

    columns = dict.fromkeys(name for row in rows for name in row)
    return pyarrow.table({name: [row.get(name) for row in rows] for name in columns})


def local_path(uri: str) -> str | None:
    """The path of a file:// URI, any byte in it that is no text as a surrogate; None for any other address."""
    path = path_of(uri)
    return None if path is None else path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Picture:
    """A picture of the collection, by its address, with what is known of it.

    `score` is the cosine similarity to what was searched for, -1 to 1, None where nothing was compared. `payload` holds
    the facts: caption, format, width, height, bytes, taken_at, camera and so on, as far as they are known.
    """

    uri: str
    score: float | None
    payload: Mapping[str, Any]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Picture":
        """The picture of a row {"uri", "score", ...payload} as the storage worker answers it."""
        payload = {name: value for name, value in row.items() if name != "score"}
        return cls(row["uri"], row.get("score"), payload)

    @property
    def id(self) -> str:
        """The id of its point."""
        return point_id(self.uri)

    @property
    def path(self) -> str | None:
        """The path of a local file, any byte that is no text in it as a surrogate; None for a file elsewhere."""
        return local_path(self.uri)

    @property
    def caption(self) -> str | None:
        """The caption, None for a picture without one."""
        return self.payload.get("caption")

    def to_dict(self) -> dict[str, Any]:
        """{"uri", "path", "score", ...payload}; without "score" where nothing was compared.

        `path` is null for a file elsewhere. Beside `mtime`, in nanoseconds, stands `modified_at`, which is text.
        """
        score = {} if self.score is None else {"score": self.score}
        return {"uri": self.uri, "path": self.path, **score, **with_modified_at(self.payload)}


@dataclass(frozen=True)
class Point:
    """A point of the collection: its id, its payload, and its embedding where that was asked for.

    `vector` is float32 of (dim,), of length one.
    """

    id: str
    payload: Mapping[str, Any]
    vector: "NDArray[np.float32] | None" = None

    def to_dict(self) -> dict[str, Any]:
        """{"id", ...payload}, and "vector" as a list of numbers where there is one."""
        vector = {} if self.vector is None else {"vector": self.vector.tolist()}
        return {"id": self.id, **self.payload, **vector}


@dataclass(frozen=True)
class Job:
    """How a job is. `state` is running, done, interrupted or abandoned; `total` is None until all files are numbered.

    `root` tells its roots to a person; `sources` are the names that `ingest` was given.
    `reused` files are a part of the `stored` ones: no model saw them; `still_broken` ones are a part of the `skipped`
    ones: they failed in an earlier job and have not changed. `embedded` and `captioned` count what models did,
    twice where it was done twice. `started` is in seconds since 1970.
    """

    job: str
    root: str
    state: str
    started: float
    total: int | None
    stored: int
    failed: int
    skipped: int
    reused: int
    embedded: int
    captioned: int
    still_broken: int = 0
    sources: Sequence[str] = ()

    @property
    def finished(self) -> int:
        """Files that need nothing more."""
        return self.stored + self.failed + self.skipped

    @property
    def unchanged(self) -> int:
        """Files that the collection holds as they are."""
        return self.skipped - self.still_broken

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


@dataclass(frozen=True)
class FailedFile:
    """A file that failed: at which stage, and the reason in words.

    With `still_broken` it failed so in an earlier job, and was not tried again, for it has not changed.
    """

    uri: str
    stage: str
    reason: str
    still_broken: bool = False

    @property
    def path(self) -> str | None:
        """The path of a local file; None for a file elsewhere."""
        return local_path(self.uri)

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names, and `path`, null for a file elsewhere."""
        facts = {"uri": self.uri, "path": self.path, "stage": self.stage, "reason": self.reason}
        return {**facts, "still_broken": self.still_broken}
