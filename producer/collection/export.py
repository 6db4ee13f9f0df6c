"""The whole collection as one file: Parquet with the vectors, CSV or JSON lines without them."""

import csv
import json
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from producer.collection.scroll import Page, pages
from producer.collection.search import filled_collection
from producer.output_file import FileKind, begins_with, check_output, replacing
from producer.stack import Stack
from settings.errors import WrongUse
from settings.extras import require

# Column -> type, in the order of the file. Whatever else a payload holds goes to `other` as JSON, so nothing is lost.
COLUMNS = {
    "id": "text",
    "uri": "text",
    "root": "text",
    "name": "text",
    "sha256": "text",
    "bytes": "whole",
    "mtime": "whole",
    "format": "text",
    "width": "whole",
    "height": "whole",
    "taken_at": "text",
    "camera": "text",
    "lens": "text",
    "exposure": "number",
    "aperture": "number",
    "iso": "whole",
    "focal_length": "number",
    "latitude": "number",
    "longitude": "number",
    "title": "text",
    "description": "text",
    "keywords": "texts",
    "caption": "text",
    "clip_model": "text",
    "blip_model": "text",
    "preprocessing": "text",
    "indexed_at": "text",
    "other": "text",
}
Write = Callable[[Page], None]
# Readers skip and read a Parquet file by its groups of rows: one a page would be a thousand in a million points.
ROW_GROUP = 65_536


@dataclass(frozen=True)
class Exported:
    """A file that was written: how many points are in it, and its size in bytes."""

    file: str
    points: int
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def check_export(target: Path) -> None:
    """Raise WrongUse for a file that cannot be written or says no form, ServiceMissing for Parquet without pyarrow."""
    form = target.suffix.lower()
    if form not in _FORMS:
        raise WrongUse(f"{target.name!r} says no form that is known: name a file that ends in {', '.join(_FORMS)}.")
    if form == ".parquet":
        require("pyarrow", "export", "Parquet needs pyarrow")
    check_output(target, _FORMS[form].kind)


def export(target: Path, where: dict[str, Any] | None, stack: Stack) -> Exported:
    """Write every point that `where` lets through to `target`, whose extension says the form.

    A page is held at a time, for Parquet ROW_GROUP points.
    The file, which `check_export` lets through, is there whole or not at all. Raises WrongUse where there is no such
    point or the place cannot be written.
    """
    form = _FORMS[target.suffix.lower()]
    filled_collection(stack)
    points = 0
    with replacing(target, form.kind) as path:
        with form.writer(path) as write:
            for page in pages(stack, where, with_vectors=form.writer is _parquet):
                if page.ids:
                    write(page)
                    points += len(page.ids)
        if not points:
            raise WrongUse("No picture matches: nothing was written.")
        size = path.stat().st_size
    return Exported(str(target), points, size)


def row_of(identity: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A point as the columns of the table; a column without a value is None."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    other = {}
    place = payload.get("gps")
    for name, value in {"id": identity, **payload}.items():
        if name == "gps" and isinstance(place, dict) and {"lat", "lon"} == place.keys():
            row["latitude"], row["longitude"] = place["lat"], place["lon"]
        elif name in COLUMNS and name != "other" and _fits(value, COLUMNS[name]):
            row[name] = value
        elif value is not None:
            other[name] = value
    if other:
        row["other"] = json.dumps(other, ensure_ascii=False, sort_keys=True)
    return row


def _fits(value: Any, kind: str) -> bool:
    """True for a value that a column of this type can hold without changing it."""
    if kind == "texts":
        return isinstance(value, list) and all(isinstance(text, str) for text in value)
    if kind == "text":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if kind == "number" and isinstance(value, float):
        return True
    return isinstance(value, int) and abs(value) < (2**63 if kind == "whole" else 2**53)


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(page: Page) -> None:
            for identity, payload in zip(page.ids, page.payloads, strict=True):
                file.write(json.dumps({"id": identity, **payload}, ensure_ascii=False) + "\n")

        yield write


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()

        def write(page: Page) -> None:
            for identity, payload in zip(page.ids, page.payloads, strict=True):
                row = row_of(identity, payload)
                table.writerow(row | {"keywords": "; ".join(map(str, row["keywords"] or []))})

        yield write


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow
    import pyarrow.parquet

    kinds = {
        "text": pyarrow.string(),
        "whole": pyarrow.int64(),
        "number": pyarrow.float64(),
        "texts": pyarrow.list_(pyarrow.string()),
    }
    columns = [(name, kinds[kind]) for name, kind in COLUMNS.items()]
    writer: pyarrow.parquet.ParquetWriter | None = None
    waiting: list[pyarrow.Table] = []

    def write_group() -> None:
        if writer is not None and waiting:
            writer.write_table(pyarrow.concat_tables(waiting))
            waiting.clear()

    def write(page: Page) -> None:
        nonlocal writer
        schema = pyarrow.schema([*columns, ("vector", pyarrow.list_(pyarrow.float32(), page.dim))])
        if writer is None:
            writer = pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")
        rows = [row_of(identity, payload) for identity, payload in zip(page.ids, page.payloads, strict=True)]
        arrays = [pyarrow.array([row[name] for row in rows], kind) for name, kind in columns]
        numbers = pyarrow.Array.from_buffers(
            pyarrow.float32(), len(rows) * page.dim, [None, pyarrow.py_buffer(page.vectors)]
        )
        arrays.append(pyarrow.FixedSizeListArray.from_arrays(numbers, page.dim))
        waiting.append(pyarrow.table(arrays, schema=schema))
        if sum(map(len, waiting)) >= ROW_GROUP:
            write_group()

    try:
        yield write
        write_group()
    finally:
        if writer is not None:
            writer.close()


def _is_our_jsonl(file: BinaryIO) -> bool:
    try:
        first = json.loads(file.readline())
    except ValueError:
        return False
    return isinstance(first, dict) and {"id", "uri", "sha256", "indexed_at"} <= first.keys()


def _is_our_parquet(file: BinaryIO) -> bool:
    """True where the names of our columns stand in the footer: <columns, their places> <length> "PAR1"."""
    end = file.seek(0, os.SEEK_END)
    if end < 12:
        return False
    file.seek(end - 8)
    length, magic = struct.unpack("<I4s", file.read(8))
    file.seek(max(0, end - 8 - length))
    footer = file.read(length)
    return magic == b"PAR1" and all(name.encode() in footer for name in ("clip_model", "blip_model", "indexed_at"))


@dataclass(frozen=True)
class _Form:
    writer: Callable[[Path], AbstractContextManager[Write]]
    kind: FileKind


_FORMS = {
    ".parquet": _Form(_parquet, FileKind((".parquet",), _is_our_parquet)),
    ".csv": _Form(_csv, FileKind((".csv",), begins_with(",".join(COLUMNS).encode()))),
    ".jsonl": _Form(_jsonl, FileKind((".jsonl",), _is_our_jsonl)),
}
