"""The commands that look after a collection, against a stack that is up."""

import csv
import io
import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from PIL import Image

from tests.e2e.conftest import Home
from tests.e2e.in_process import stack_without_models

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[Home]:
    """A home without models, its stack kept up for the whole module."""
    with stack_without_models(tmp_path_factory.mktemp("library"), redis_process) as kept:
        yield kept


def drawn(path: Path, number: int) -> None:
    """A picture of its own, taken by a camera in 2020 + number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0132] = "Maker", f"Model {number % 2}", f"{2020 + number % 3}:05:04 10:00:00"
    Image.new("RGB", (16, 16), (number * 7 % 256, number * 13 % 256, 40)).save(path, exif=exif)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures in two folders whose names begin alike, one of them with a name to escape, and a broken one."""
    root = tmp_path / "pictures"
    for number, name in enumerate(("a/1.jpg", "a/ä #2?.jpg", "a/3.png", "ab/4.jpg", "ab/5.jpg", "ab/deep/6.jpg")):
        drawn(root / name, number)
    (root / "a" / "broken.jpg").write_bytes(b"no picture")
    return root


def test_a_job_is_listed_reported_and_its_failures_are_tried_again(home: Home, folder: Path, tmp_path: Path) -> None:
    done = home.json("ingest", str(folder))
    assert (done["stored"], done["failed"], done["exit"]) == (6, 1, 1)
    job = done["job"]
    newest = home.json("jobs", "-n", "1")["jobs"][0]
    assert (newest["job"], newest["state"], newest["embedded"], newest["captioned"]) == (job, "done", 6, 0)
    assert job in home.run("jobs").stdout

    (folder / "a" / "3.png").touch()
    again = home.json("ingest", str(folder))["job"]
    shown = home.run("report", again, "--csv", "-")
    rows = {row["uri"]: row for row in csv.DictReader(io.StringIO(shown.stdout))}
    assert {uri.rsplit("/", 1)[-1]: row["outcome"] for uri, row in rows.items()} == {
        "1.jpg": "skipped",
        "%C3%A4%20%232%3F.jpg": "skipped",
        "3.png": "reused",
        "broken.jpg": "still_broken",
        "4.jpg": "skipped",
        "5.jpg": "skipped",
        "6.jpg": "skipped",
    }
    reason = rows[(folder / "a" / "broken.jpg").as_uri()]["reason"]
    assert reason.startswith("decode: ")
    assert shown.stderr.startswith(f"Job {again}, 7 files: 5 skipped, 1 reused, 1 still_broken.\n")

    target = tmp_path / "report.csv"
    told = home.json("report", again, "--csv", str(target))
    assert told == {
        "job": again,
        "files": 7,
        "outcomes": {"skipped": 5, "reused": 1, "still_broken": 1},
        "reasons": {reason: 1},
        "csv": str(target),
        "exit": 0,
    }
    assert target.read_text() == shown.stdout

    tried = home.json("retry", again)
    assert (tried["total"], tried["failed"], tried["still_broken"], tried["exit"]) == (1, 1, 0, 1)
    drawn(folder / "a" / "broken.jpg", 9)
    healed = home.json("retry", job)
    assert (healed["retried"], healed["total"], healed["stored"], healed["exit"]) == (job, 1, 1, 0)
    assert healed["root"] == str(folder)
    nothing = home.run("retry", healed["job"])
    assert nothing.stdout == f"No file of job {healed['job']} failed: there is nothing to try again.\n"


def test_two_things_on_one_output_are_refused(home: Home) -> None:
    both = home.run("report", "nobody", "--json", "--csv", "-")
    assert (both.returncode, both.stdout) == (2, "")


def test_prune_removes_what_is_gone_below_a_folder_and_nothing_beside_it(home: Home, folder: Path) -> None:
    home.json("ingest", str(folder))
    shutil.rmtree(folder / "a")
    (folder / "ab" / "5.jpg").unlink()
    (folder / "a").mkdir()
    refused = home.run("prune", str(folder / "a"))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "is empty, as when a disk is not mounted" in refused.stderr
    lines = home.run("prune", str(folder), "--dry-run")
    assert lines.stdout.splitlines() == sorted(lines.stdout.splitlines())
    assert lines.stderr == f"6 files of the collection below {folder}: 4 gone, nothing was removed.\n"
    dry = home.json("prune", str(folder), "--dry-run")
    assert dry["paths"] == lines.stdout.splitlines()
    assert (dry["checked"], dry["gone"], dry["removed"], len(dry["uris"])) == (6, 4, 0, 4)
    forced = home.json("prune", str(folder / "a"), "--force")
    assert (forced["checked"], forced["removed"]) == (3, 3)
    shown = home.run("prune", str(folder.parent))
    assert shown.stdout == f"3 files of the collection below {folder.parent}: 1 removed.\n"
    assert home.json("prune", str(folder))["checked"] == 2


def test_an_export_holds_every_point_in_three_forms(home: Home, folder: Path, tmp_path: Path) -> None:
    home.json("ingest", str(folder))
    found = home.json("export", str(tmp_path / "all.parquet"))
    points = found["points"]
    table = pyarrow.parquet.read_table(tmp_path / "all.parquet")
    assert table.num_rows == points
    assert str(table.schema.field("vector").type) == "fixed_size_list<element: float>[48]"
    rows = {row["uri"]: row for row in table.to_pylist()}
    own = rows[(folder / "a" / "ä #2?.jpg").as_uri()]
    assert (own["name"], own["camera"], own["width"]) == ("ä #2?.jpg", "Maker Model 1", 16)
    shown = home.run("export", str(tmp_path / "all.csv"))
    assert re.fullmatch(rf"{points} points in \S+all\.csv, [\d,]+ bytes\.\n", shown.stdout)
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        assert {row["uri"] for row in csv.DictReader(file)} == set(rows)
    some = home.json("export", str(tmp_path / "some.csv"), "--where", "camera=*1", "--where", f"root={folder}")
    assert some["points"] == 3
    none = home.run("export", str(tmp_path / "none.parquet"), "--where", "camera=nobody's")
    assert none.stderr == "error: No picture matches: nothing was written.\n"
    assert not (tmp_path / "none.parquet").exists()
    home.run("export", str(tmp_path / "all.jsonl"))
    lines = (tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["uri"] for line in lines} == set(rows)


def test_stats_count_formats_cameras_and_years(home: Home, folder: Path) -> None:
    home.json("ingest", str(folder))
    found = home.json("stats")
    assert found["folders"][str(folder)] == 6
    assert sum(found["formats"].values()) == found["points"]
    assert set(found["cameras"]) == {"Maker Model 0", "Maker Model 1"}
    assert set(found["years"]) == {"2020", "2021", "2022"}
    assert sum(found["years"].values()) + found["undated"] == found["points"]
    shown = home.run("stats").stdout.splitlines()
    assert shown[: len(found["formats"])] == [f"formats\t{count}\t{name}" for name, count in found["formats"].items()]


def test_a_map_is_one_page_with_every_picture(home: Home, folder: Path, tmp_path: Path) -> None:
    home.json("ingest", str(folder))
    found = home.json("map", str(tmp_path / "map.html"))
    assert found["points"] == found["of"] == home.json("stats")["points"]
    assert found["thumbnails"] >= 6
    text = (tmp_path / "map.html").read_text(encoding="utf-8")
    assert len(text.encode()) == found["bytes"]
    assert (folder / "a" / "ä #2?.jpg").as_uri() in text
    refused = home.run("map", str(tmp_path / "nowhere" / "map.html"))
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)


def test_forget_takes_out_what_is_named_or_is_excluded_by_now_and_no_file(home: Home, folder: Path) -> None:
    hidden = folder / "thumbs" / "small.jpg"
    drawn(hidden, 20)
    assert home.json("ingest", str(folder))["stored"] == 7
    (folder / ".darkroomignore").write_text("thumbs/\n")
    dry = home.json("forget", str(folder), "--excluded", "--dry-run")
    assert (dry["points"], dry["removed"], dry["uris"]) == (1, 0, [hidden.as_uri()])
    assert home.json("forget", str(folder), "--excluded")["removed"] == 1
    again = home.json("ingest", str(folder))
    assert (again["stored"], again["skipped"], again["passed_over"]["excluded_folders"]) == (0, 7, 1)
    said = home.run("forget", f"{folder}/./a/").stdout
    assert said == f"3 pictures of the collection at or below {folder / 'a'}: 3 removed.\n"
    assert home.json("forget", str(folder / "a"))["points"] == 0
    assert home.json("prune", str(folder))["checked"] == 3
    assert len(list(folder.rglob("*.*"))) == 9
