"""The whole collection as one file: Parquet with the vectors, CSV or JSON lines without them."""

import csv
import json
import os
import shutil
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pictures.picture import with_modified_at
from producer.collection.export_columns import COLUMNS, row_of, timed_row
from producer.collection.filled import filled_collection
from producer.collection.scroll import Page, pages
from producer.output_file import FileKind, begins_with, check_output, replacing
from producer.stack import Stack
from settings.command_line import while_somebody_reads
from settings.errors import WrongUse
from settings.extras import require
from settings.plain_text import csv_cell

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


STDOUT = Path("-")


def form_of(target: Path, form: str | None) -> str:
    """The form of an export, .parquet, .csv or .jsonl: that of the name, or the one that `form` names.

    Raises WrongUse where neither says one.
    """
    named = f".{form}" if form else ".jsonl" if target == STDOUT else target.suffix.lower()
    if named not in _FORMS:
        raise WrongUse(f"{target.name!r} says no form that is known: name a file that ends in {', '.join(_FORMS)}.")
    return named


def check_export(target: Path, form: str | None = None) -> None:
    """Raise WrongUse for a file that cannot be written or says no form, ServiceMissing for Parquet without pyarrow."""
    named = form_of(target, form)
    if named == ".parquet":
        require("pyarrow", "export", "Parquet needs pyarrow")
    if target != STDOUT:
        check_output(target, _FORMS[named].kind)


def export(target: Path, where: dict[str, Any] | None, stack: Stack, form: str | None = None) -> Exported:
    """Write every point that `where` lets through to `target`, "-" for the standard output.

    A page is held at a time, for Parquet ROW_GROUP points. The file, which `check_export` lets through, is there whole
    or not at all; what goes to the standard output is whole before it does. Raises WrongUse where there is no such
    point or the place cannot be written.
    """
    kind = _FORMS[named := form_of(target, form)]
    filled_collection(stack)
    if target != STDOUT:
        with replacing(target, kind.kind) as path:
            return Exported(str(target), _write(kind, path, where, stack), path.stat().st_size)
    with tempfile.TemporaryDirectory(prefix="darkroom-") as folder:
        path = Path(folder, f"export{named}")
        points = _write(kind, path, where, stack)
        with path.open("rb") as file, while_somebody_reads():
            shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.flush()
        return Exported("-", points, path.stat().st_size)


def _write(form: "_Form", path: Path, where: dict[str, Any] | None, stack: Stack) -> int:
    points = 0
    with form.writer(path) as write:
        for page in pages(stack, where, with_vectors=form.writer is _parquet):
            if page.ids:
                write(page)
                points += len(page.ids)
    if not points:
        raise WrongUse("No picture matches: nothing was written.")
    return points


@contextmanager
def _jsonl(path: Path) -> Iterator[Write]:
    with path.open("w", encoding="utf-8") as file:

        def write(page: Page) -> None:
            for identity, payload in zip(page.ids, page.payloads, strict=True):
                row = {"id": identity, **with_modified_at(payload)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

        yield write


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        table.writeheader()

        def write(page: Page) -> None:
            for identity, payload in zip(page.ids, page.payloads, strict=True):
                row = row_of(identity, payload)
                row["keywords"] = "; ".join(map(str, row["keywords"] or []))
                table.writerow({name: csv_cell(value) for name, value in row.items()})

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
        "time": pyarrow.timestamp("us"),
        "moment": pyarrow.timestamp("us", "UTC"),
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
        rows = [timed_row(row_of(*point)) for point in zip(page.ids, page.payloads, strict=True)]
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
    ".csv": _Form(_csv, FileKind((".csv",), begins_with(b"id,uri,root,name,sha256,bytes,mtime,"))),
    ".jsonl": _Form(_jsonl, FileKind((".jsonl",), _is_our_jsonl)),
}
