"""The whole collection as one file: Parquet with the vectors, CSV or JSON lines without them."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from producer.collection.scroll import Page, pages
from producer.output_file import check_output, replacing
from producer.stack import attached
from producer.waiting import collection_facts
from settings import Settings
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
_TYPES: dict[str, tuple[type, ...]] = {"text": (str,), "whole": (int,), "number": (int, float), "texts": (list,)}
Write = Callable[[Page], None]


def export(
    target: Path, where: dict[str, Any] | None, settings: Settings, report: Callable[[dict[str, Any]], None]
) -> None:
    """Write every point that `where` lets through to `target`, whose extension says the form; a page is held at a time.

    `report` gets {"file", "points", "bytes"} before the stack goes down. The file is there whole or not at all. Raises
    WrongUse for another extension, where there is no such point and for a place that cannot be written, ServiceMissing
    where Parquet is asked for and pyarrow is not installed.
    """
    writer = _WRITERS.get(target.suffix.lower())
    if writer is None:
        raise WrongUse(f"{target.name!r} says no form that is known: name a file that ends in {', '.join(_WRITERS)}.")
    if target.suffix.lower() == ".parquet":
        _require_pyarrow()
    check_output(target)
    with attached(settings) as stack:
        facts = collection_facts(stack)
        if not facts["points"]:
            raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
        points = 0
        with replacing(target) as path:
            with writer(path) as write:
                for page in pages(stack, where, with_vectors=writer is _parquet):
                    if page.ids:
                        write(page)
                        points += len(page.ids)
            if not points:
                raise WrongUse("No picture matches: nothing was written.")
            size = path.stat().st_size
        report({"file": str(target), "points": points, "bytes": size})


def row_of(identity: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A point as the columns of the table; a column without a value is None."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    other = {}
    place = payload.get("gps")
    for name, value in {"id": identity, **payload}.items():
        if name == "gps" and isinstance(place, dict) and {"lat", "lon"} == place.keys():
            row["latitude"], row["longitude"] = place["lat"], place["lon"]
        elif name in COLUMNS and name != "other" and isinstance(value, _TYPES[COLUMNS[name]]):
            row[name] = value
        elif value is not None:
            other[name] = value
    if other:
        row["other"] = json.dumps(other, ensure_ascii=False, sort_keys=True)
    return row


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
    writer = None

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
        writer.write_table(pyarrow.table(arrays, schema=schema))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


_WRITERS: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".jsonl": _jsonl,
}


def _require_pyarrow() -> None:
    require("pyarrow", "export", "Parquet needs pyarrow")
