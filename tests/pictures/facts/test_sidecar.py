"""The .xmp beside a picture: which one it is, and what it says better than the picture itself."""

import os
from pathlib import Path
from typing import Any

import pytest

from pictures.facts.reading import read_facts
from pictures.facts.sidecar import MAX_BYTES, find_sidecar
from pictures.picture import Sidecar
from pictures.reading import Sources
from settings import load_settings
from tests.pictures.facts.written import DATE, exif_block, jpeg
from tests.pictures.made.described import xmp

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

INSIDE = xmp(
    "<dc:title>inside</dc:title><dc:description>Sea</dc:description><xmp:Rating>3</xmp:Rating>"
    "<dc:subject><rdf:Bag><rdf:li>old</rdf:li></rdf:Bag></dc:subject><aux:Lens>EF50mm</aux:Lens>"
)
EXIF = exif_block({271: "Canon", 272: "Canon EOS R5"}, {36867: "2024:07:05 18:31:02", 36881: "+02:00"})


def told(inside: str, data: bytes = b"") -> dict[str, Any]:
    """The facts of a picture with such a sidecar."""
    return read_facts(data or jpeg(EXIF, INSIDE), Sidecar(xmp(inside), (1, 2)))


def found(picture: Path, names: set[bytes] | None = None) -> str | None:
    there = find_sidecar(os.fsencode(picture), names)
    return None if there is None else Path(os.fsdecode(there[0])).name


def test_what_a_person_says_in_a_sidecar_wins_field_by_field() -> None:
    facts = told(
        "<dc:title>beside</dc:title><dc:subject><rdf:Bag><rdf:li>new</rdf:li></rdf:Bag></dc:subject>"
        "<xmp:Rating>5</xmp:Rating><xmp:Label>Red</xmp:Label><exif:DateTimeOriginal>1999-01-01T10:00:00"
        "</exif:DateTimeOriginal><exif:GPSLatitude>33,30S</exif:GPSLatitude><exif:GPSLongitude>70,30W</exif:GPSLongitude>"
    )
    assert facts == {
        "title": "beside",
        "description": "Sea",
        "keywords": ["new"],
        "rating": 5,
        "label": "Red",
        "taken_at": "1999-01-01T10:00:00",
        "gps": pytest.approx({"lat": -33.5, "lon": -70.5}),
        "camera": "Canon EOS R5",
        "lens": "EF50mm",
    }


def test_stars_that_somebody_took_away_in_a_sidecar_are_gone() -> None:
    assert "rating" not in told("<xmp:Rating>0</xmp:Rating>")


def test_what_the_camera_noted_the_picture_says_better() -> None:
    beside = "<tiff:Make>Other</tiff:Make><tiff:Model>Other</tiff:Model><aux:Lens>Other</aux:Lens>"
    assert told(beside)["camera"] == "Canon EOS R5"
    assert told(beside)["lens"] == "EF50mm"
    assert told("<exif:FNumber>28/10</exif:FNumber>")["aperture"] == 2.8


@pytest.mark.parametrize("same", ["2024-07-05T18:31:02", "2024:07:05 18:31:02.120", "2024-07-05"])
def test_a_sidecar_that_says_the_same_time_less_exactly_takes_nothing_away(same: str) -> None:
    facts = told(f"<exif:DateTimeOriginal>{same}</exif:DateTimeOriginal>")
    assert facts["taken_at"] == "2024-07-05T18:31:02+02:00"


def test_when_a_sidecar_was_made_is_the_last_that_counts() -> None:
    made = "<xmp:CreateDate>2020-01-01T10:00:00</xmp:CreateDate>"
    assert told(made)["taken_at"] == "2024-07-05T18:31:02+02:00"
    assert told(made, jpeg(iptc=[(DATE, b"20031231")]))["taken_at"] == "2003-12-31"
    assert told(made, jpeg())["taken_at"] == "2020-01-01T10:00:00"


def test_a_sidecar_that_belongs_to_the_raw_file_beside_says_nothing_of_the_jpeg() -> None:
    words = "<dc:title>beside</dc:title>"
    assert told(words + "<photoshop:SidecarForExtension>CR2</photoshop:SidecarForExtension>")["title"] == "inside"
    assert told(words + "<photoshop:SidecarForExtension>JPG</photoshop:SidecarForExtension>")["title"] == "beside"


@pytest.mark.parametrize("broken", [b"", b"no xml", xmp("<dc:title>")[:-60]])
def test_a_sidecar_that_is_broken_hides_nothing(broken: bytes) -> None:
    assert read_facts(jpeg(EXIF, INSIDE), Sidecar(broken, (1, 2)))["title"] == "inside"


def test_the_sidecar_with_the_whole_name_comes_first(tmp_path: Path) -> None:
    picture = tmp_path / "IMG.jpg"
    assert found(picture) is None
    for name in ("IMG.XMP", "IMG.xmp", "IMG.jpg.XMP", "IMG.jpg.xmp"):
        (tmp_path / name).write_bytes(b"x")
        assert found(picture) == name
    assert found(picture, {b"IMG.xmp", b"other.xmp"}) == "IMG.xmp"
    assert found(picture, set()) is None


def test_a_folder_is_no_sidecar(tmp_path: Path) -> None:
    (tmp_path / "IMG.xmp").mkdir()
    assert found(tmp_path / "IMG.jpg") is None


def test_a_picture_is_read_with_its_sidecar_and_its_version(tmp_path: Path) -> None:
    picture, beside = tmp_path / "ä.jpg", tmp_path / "ä.xmp"
    picture.write_bytes(jpeg())
    sources, root = Sources(load_settings()), tmp_path.as_uri()
    assert sources.read(picture.as_uri(), root).sidecar is None
    beside.write_bytes(INSIDE)
    status = beside.stat()
    assert sources.read(picture.as_uri(), root).sidecar == Sidecar(INSIDE, (status.st_size, status.st_mtime_ns))


def test_a_sidecar_that_is_too_large_has_its_version_alone(tmp_path: Path) -> None:
    picture, beside = tmp_path / "a.jpg", tmp_path / "a.jpg.xmp"
    picture.write_bytes(jpeg())
    beside.write_bytes(bytes(MAX_BYTES + 1))
    read = Sources(load_settings()).read(picture.as_uri(), tmp_path.as_uri()).sidecar
    assert read == Sidecar(b"", (MAX_BYTES + 1, beside.stat().st_mtime_ns))


def test_a_link_out_of_the_allowed_folders_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.xmp").write_bytes(INSIDE)
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(jpeg())
    (folder / "a.xmp").symlink_to(tmp_path / "secret.xmp")
    settings = load_settings()
    paths = settings.paths.model_copy(update={"allowed": [str(folder)]})
    read = Sources(settings.model_copy(update={"paths": paths})).read((folder / "a.jpg").as_uri(), folder.as_uri())
    assert read.sidecar is not None
    assert read.sidecar.data == b""
