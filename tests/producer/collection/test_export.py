"""The forms of an export, written from points and read back."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from producer.collection import export
from producer.collection.export import _FORMS, _csv, _jsonl, _parquet, check_export
from producer.collection.export_columns import COLUMNS, row_of
from producer.collection.scroll import Page
from settings.errors import WrongUse

FULL: dict[str, Any] = {
    "uri": "file:///p/%C3%A4.jpg",
    "name": "ä.jpg",
    "bytes": 2**40,
    "mtime": 1_700_000_000_000_000_001,
    "width": 10,
    "exposure": 0.004,
    "aperture": 8,
    "gps": {"lat": 52.5, "lon": 13.4},
    "keywords": ["sea", "two words"],
    "caption": 'a "red", large circle',
    "schema": 1,
}
POOR: dict[str, Any] = {"uri": "file:///p/b.png", "width": "wide", "keywords": [], "lens": None}


def page(first: int) -> Page:
    vectors = np.arange(8, dtype="<f4").reshape(2, 4) + first
    return Page([f"id{first}", f"id{first + 1}"], [FULL, POOR], vectors.tobytes(), 4)


def test_a_row_has_every_column_and_loses_nothing() -> None:
    row = row_of("id", FULL)
    assert list(row) == list(COLUMNS)
    assert (row["id"], row["latitude"], row["longitude"], row["keywords"]) == ("id", 52.5, 13.4, ["sea", "two words"])
    assert json.loads(row["other"]) == {"schema": 1}
    poor = row_of("id", POOR)
    assert (poor["width"], poor["lens"], json.loads(poor["other"])) == (None, None, {"width": "wide"})


def test_parquet_has_the_vectors_and_typed_columns(tmp_path: Path) -> None:
    with _parquet(tmp_path / "a.parquet") as write:
        write(page(0))
        write(page(2))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[4]"
    assert {str(table.schema.field(name).type) for name in ("bytes", "mtime", "iso")} == {"int64"}
    rows = table.to_pylist()
    assert [row["vector"] for row in rows] == [[0, 1, 2, 3], [4, 5, 6, 7], [2, 3, 4, 5], [6, 7, 8, 9]]
    assert {name: rows[0][name] for name in ("mtime", "aperture", "keywords", "caption")} == {
        "mtime": FULL["mtime"],
        "aperture": 8.0,
        "keywords": FULL["keywords"],
        "caption": FULL["caption"],
    }


def test_parquet_gathers_pages_to_groups_of_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "ROW_GROUP", 4)
    with _parquet(tmp_path / "a.parquet") as write:
        for number in range(5):
            write(page(2 * number))
    file = pyarrow.parquet.ParquetFile(tmp_path / "a.parquet")
    assert [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)] == [4, 4, 2]
    assert file.read().column("id").to_pylist() == [f"id{number}" for number in range(10)]


def test_csv_has_a_line_a_point(tmp_path: Path) -> None:
    with _csv(tmp_path / "a.csv") as write:
        write(page(0))
        write(page(2))
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["id0", "id1", "id2", "id3"]
    assert (rows[0]["caption"], rows[0]["keywords"], rows[1]["camera"]) == (FULL["caption"], "sea; two words", "")


def test_json_lines_are_the_payloads(tmp_path: Path) -> None:
    with _jsonl(tmp_path / "a.jsonl") as write:
        write(page(0))
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == [{"id": "id0", **FULL, "modified_at": "2023-11-14T22:13:20Z"}, {"id": "id1", **POOR}]


def test_parquet_has_times_by_the_clock_of_the_camera_and_moments_in_utc(tmp_path: Path) -> None:
    texts = ["2024-05-31T14:00:00+02:00", "2024-05-31T14:00:00.250000", "2024-05-31", "some day", None]
    payloads = [
        {"uri": f"file:///{number}", "mtime": 1_700_000_000_000_000_000, "indexed_at": "2026-01-31T12:00:00Z"}
        | ({"taken_at": text} if text else {})
        for number, text in enumerate(texts)
    ]
    with _parquet(tmp_path / "a.parquet") as write:
        write(Page(list("abcde"), payloads, np.zeros(20, dtype="<f4").tobytes(), 4))
    table = pyarrow.parquet.read_table(tmp_path / "a.parquet")
    assert str(table.schema.field("taken_at").type) == "timestamp[us]"
    assert str(table.schema.field("indexed_at").type) == "timestamp[us, tz=UTC]"
    rows = table.to_pylist()
    assert [row["taken_at"] and row["taken_at"].isoformat() for row in rows] == [
        "2024-05-31T14:00:00",
        "2024-05-31T14:00:00.250000",
        "2024-05-31T00:00:00",
        None,
        None,
    ]
    others = [json.loads(row["other"] or "null") for row in rows]
    assert others == [{"taken_at": texts[0]}, None, None, {"taken_at": "some day"}, None]
    assert (rows[0]["modified_at"].isoformat(), rows[0]["indexed_at"].isoformat()) == (
        "2023-11-14T22:13:20+00:00",
        "2026-01-31T12:00:00+00:00",
    )


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz"])
def test_another_form_is_refused_in_one_sentence_before_anything_starts(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongUse, match=r"ends in \.parquet, \.csv, \.jsonl"):
        check_export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


WIDE = {"bytes": 2**63, "mtime": -(2**70), "iso": True, "aperture": 2**60 + 1, "keywords": ["sea", 2**80]}


@pytest.mark.parametrize("name", ["wide.parquet", "wide.csv", "wide.jsonl"])
def test_a_value_that_its_column_cannot_hold_is_kept_beside_and_does_not_end_the_export(
    name: str, tmp_path: Path
) -> None:
    target = tmp_path / name
    vectors = np.zeros(4, dtype="<f4").tobytes()
    with _FORMS[target.suffix].writer(target) as write:
        write(Page(["id"], [{"uri": "file:///p/a.jpg", "width": 7, **WIDE}], vectors, 4))
    row: dict[str, Any]
    if name == "wide.jsonl":
        row = json.loads(target.read_text())
        assert {key: row[key] for key in WIDE} == WIDE
        return
    if name == "wide.csv":
        (row,) = csv.DictReader(target.read_text().splitlines())
    else:
        (row,) = pyarrow.parquet.read_table(target).to_pylist()
    assert int(row["width"]) == 7
    assert json.loads(row["other"]) == WIDE
    assert not any(row[key] for key in WIDE)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl"])
def test_an_export_of_ours_is_told_from_the_file_of_another_program(name: str, tmp_path: Path) -> None:
    target = tmp_path / name
    stored = {"uri": "file:///p/a.jpg", "sha256": "00", "indexed_at": "2026-01-01T00:00:00Z"}
    with _FORMS[target.suffix].writer(target) as write:
        write(Page(["id"], [stored], np.zeros(4, dtype="<f4").tobytes(), 4))
    check_export(target)
    pyarrow.parquet.write_table(pyarrow.table({"id": [1]}), tmp_path / "theirs.parquet")
    (tmp_path / "theirs.csv").write_text("id,uri\n1,x\n")
    (tmp_path / "theirs.jsonl").write_text('{"id": 1, "uri": "x"}\n')
    for content in ((tmp_path / f"theirs{target.suffix}").read_bytes(), b"short", b"\xff\xd8\xff\xe0" + bytes(2000)):
        target.write_bytes(content)
        with pytest.raises(WrongUse, match="exists and Darkroom has not written it"):
            check_export(target)
        assert target.read_bytes() == content
