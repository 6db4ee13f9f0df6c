"""Facts from the file and its sidecar to the answers of commands, against a stack that is up."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.e2e.conftest import Home
from tests.e2e.in_process import stack_without_models
from tests.pictures.made.described import xmp

pytestmark = pytest.mark.e2e

SLY = "Evil\x1b]0;owned\x07\x9b2J"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, redis_process: str) -> Iterator[Home]:
    """A home without models, its stack kept up for the whole module."""
    with stack_without_models(tmp_path_factory.mktemp("facts"), redis_process) as kept:
        yield kept


def drawn(path: Path, number: int, taken: str = "", offset: str = "", make: str = "Maker", model: str = "One") -> None:
    """A picture of its own, taken at a time by a camera."""
    exif = Image.Exif()
    exif.update({0x010F: make, 0x0110: model})
    if taken:
        exif.get_ifd(0x8769).update({0x9003: taken, 0x9011: offset})
    Image.new("RGB", (16, 16), (number * 7 % 256, number * 13 % 256, 40)).save(path, exif=exif)


def found(home: Home, folder: Path, *conditions: str) -> set[str]:
    """The names of the pictures of a folder for which all conditions hold."""
    where = [word for condition in (f"root={folder}", *conditions) for word in ("--where", condition)]
    return {Path(picture["uri"]).name for picture in home.json("search", *where)["results"]}


def test_a_sidecar_that_comes_changes_and_goes_is_noticed_by_the_next_ingest(home: Home, tmp_path: Path) -> None:
    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        drawn(tmp_path / name, number)

    def ingested() -> tuple[int, int, int]:
        done = home.json("ingest", str(tmp_path))
        assert (done["failed"], done["exit"]) == (0, 0)
        return done["stored"], done["reused"], done["skipped"]

    assert ingested() == (3, 0, 0)
    sidecar = tmp_path / "a.xmp"
    sidecar.write_bytes(xmp("<xmp:Rating>4</xmp:Rating><xmp:Label>Red</xmp:Label>"))
    assert ingested() == (1, 1, 2)
    assert found(home, tmp_path, "rating>=4") == found(home, tmp_path, "label=red") == {"a.jpg"}
    assert ingested() == (0, 0, 3)
    sidecar.write_bytes(xmp("<xmp:Rating>5</xmp:Rating><dc:title>Harbour</dc:title>"))
    assert ingested() == (1, 1, 2)
    assert found(home, tmp_path, "rating=5", "title:harbour") == {"a.jpg"}
    assert found(home, tmp_path, "has:label") == set()
    sidecar.unlink()
    assert ingested() == (1, 1, 2)
    assert found(home, tmp_path, "has:rating") == set()


def test_days_and_years_are_those_of_the_camera(home: Home, tmp_path: Path) -> None:
    drawn(tmp_path / "new.jpg", 10, "2034:01:01 00:30:00", "+02:00")
    drawn(tmp_path / "early.jpg", 11, "2024:01:01 00:30:00", "+02:00", make="NIKON CORPORATION", model="NIKON Z 6")
    drawn(tmp_path / "late.jpg", 12, "2023:12:31 23:00:00", "-08:00")
    assert home.json("ingest", str(tmp_path))["stored"] == 3
    assert found(home, tmp_path, "taken=2024") == found(home, tmp_path, "taken=2024-01-01") == {"early.jpg"}
    assert found(home, tmp_path, "taken=2023") == found(home, tmp_path, "taken=2023-12-31") == {"late.jpg"}
    # A time that is still to come is none.
    assert found(home, tmp_path, "has!=taken") == {"new.jpg"}
    assert found(home, tmp_path, "camera=NIKON Z 6") == {"early.jpg"}
    years = home.json("stats")["years"]
    assert (years["2023"], years["2024"]) == (1, 1)


def test_nothing_in_a_file_steers_a_terminal_or_a_spreadsheet(home: Home, tmp_path: Path) -> None:
    drawn(tmp_path / f"{SLY}.jpg", 20, model=SLY)
    (tmp_path / f"{SLY}.jpg.xmp").write_bytes(xmp("<dc:title>=1+1</dc:title><xmp:Label>@SUM(A1)</xmp:Label>"))
    assert home.json("ingest", str(tmp_path))["stored"] == 1
    for words in (["stats"], ["search", "--where", f"root={tmp_path}"], ["search", "--where", "label=@*", "--json"]):
        shown = home.run(*words)
        assert shown.returncode == 0
        assert not {"\x1b", "\x07", "\x9b"} & set(shown.stdout + shown.stderr)
    assert home.run("export", str(tmp_path / "all.csv"), "--where", f"root={tmp_path}").returncode == 0
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["title"], row["label"]) == ("'=1+1", "'@SUM(A1)")
    assert not {"\x1b", "\x07", "\x9b"} & set("".join(row.values()))
