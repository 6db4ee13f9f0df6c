"""Each fact in each place of each format is what exiftool reads there, or absent where it is invalid or not there.

What exiftool has read is recorded in recorded_facts.json; where it is installed, it is asked again.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pictures.facts.reading import read_facts
from tests.pictures.facts import exiftool
from tests.pictures.facts.matrix import CASES, HAS, Case
from tests.pictures.made.pictures import FORMATS, encoded, quarters

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

RECORDED: dict[str, Any] = json.loads((Path(__file__).parent / "recorded_facts.json").read_text(encoding="utf-8"))
needs_exiftool = pytest.mark.skipif(exiftool.PROGRAM is None, reason="exiftool is not installed here")
VALID = [case for case in CASES if case.is_valid]


def said(value: Any) -> Any:
    """A fact as it is compared: places in millionths of a degree, times without the zone that IPTC always has."""
    if isinstance(value, dict):
        return {name: round(number, 6) for name, number in value.items()}
    return value


@pytest.mark.parametrize("case", VALID, ids=str)
def test_a_fact_is_what_was_recorded(case: Case) -> None:
    facts = read_facts(case.data())
    facts.pop("taken_local", None)
    assert {fact: said(value) for fact, value in facts.items()} == {case.fact: RECORDED[f"{case.place} {case.fact}"]}


@pytest.mark.parametrize("case", [case for case in CASES if not case.is_valid], ids=str)
def test_a_fact_that_is_invalid_is_absent(case: Case) -> None:
    assert read_facts(case.data()) == {}


@pytest.mark.parametrize("form", [form for form in HAS if form in FORMATS])
def test_a_picture_of_which_nothing_is_written_has_no_facts(form: str) -> None:
    assert read_facts(encoded(quarters(), form)) == {}


def test_every_record_is_that_of_a_case() -> None:
    assert set(RECORDED) == {f"{case.place} {case.fact}" for case in VALID}


@needs_exiftool
def test_exiftool_reads_what_was_recorded(tmp_path: Path) -> None:
    for case in VALID:
        (tmp_path / case.file_name).write_bytes(case.data())
    read = exiftool.facts_by_exiftool(tmp_path)
    told = {str(case): said(read[case.file_name].get(case.fact)) for case in VALID}
    assert told == {str(case): RECORDED[f"{case.place} {case.fact}"] for case in VALID}


# What exiftool is told to write in each place.
WRITTEN = {
    "EXIF": (
        *("-ExifIFD:DateTimeOriginal=1988:12:01 18:53:44", "-ExifIFD:OffsetTimeOriginal=+01:00"),
        *("-IFD0:Make=NIKON CORPORATION", "-IFD0:Model=NIKON Z 6", "-ExifIFD:LensModel=NIKKOR Z 50mm f/1.8 S"),
        *("-ExifIFD:ISO=65535", "-ExifIFD:RecommendedExposureIndex=102400", "-ExifIFD:ExposureTime=1/60"),
        *("-ExifIFD:FNumber=1.8", "-ExifIFD:FocalLength=50", "-IFD0:XPTitle=Häfen", "-IFD0:ImageDescription=Die See"),
        *("-IFD0:XPKeywords=Boot;See", "-IFD0:Rating=5", "-GPS:GPSLatitude=33.5", "-GPS:GPSLatitudeRef=S"),
        *("-GPS:GPSLongitude=70.5", "-GPS:GPSLongitudeRef=W"),
    ),
    "XMP": (
        *("-XMP-exif:DateTimeOriginal=1988:12:01 18:53:44+01:00", "-XMP-tiff:Make=NIKON CORPORATION"),
        *("-XMP-tiff:Model=NIKON Z 6", "-XMP-aux:Lens=NIKKOR Z 50mm f/1.8 S", "-XMP-exif:ISO=102400"),
        *("-XMP-exif:ExposureTime=1/60", "-XMP-exif:FNumber=1.8", "-XMP-exif:FocalLength=50", "-XMP-dc:Title=Häfen"),
        *("-XMP-dc:Description=Die See", "-XMP-dc:Subject=Boot", "-XMP-dc:Subject=See", "-XMP-xmp:Rating=5"),
        *("-XMP-xmp:Label=Red", "-XMP-exif:GPSLatitude=-33.5", "-XMP-exif:GPSLongitude=-70.5"),
    ),
    "IPTC": (
        *("-IPTC:DateCreated=1988:12:01", "-IPTC:TimeCreated=18:53:44+01:00", "-IPTC:CodedCharacterSet=UTF8"),
        *("-IPTC:ObjectName=Häfen", "-IPTC:Caption-Abstract=Die See", "-IPTC:Keywords=Boot", "-IPTC:Keywords=See"),
    ),
    "text": ("-PNG:Title=Häfen", "-PNG:Description=Die See", "-PNG:CreationTime=1988:12:01 18:53:44+01:00"),
}
TOLD = {
    "taken_at": "1988-12-01T18:53:44+01:00",
    "taken_local": "1988-12-01T18:53:44",
    "camera": "NIKON Z 6",
    "lens": "NIKKOR Z 50mm f/1.8 S",
    "exposure": 0.0166667,
    "aperture": 1.8,
    "iso": 102400,
    "focal_length": 50.0,
    "title": "Häfen",
    "description": "Die See",
    "keywords": ["Boot", "See"],
    "rating": 5,
    "label": "Red",
    "gps": {"lat": -33.5, "lon": -70.5},
}
NOT_IN = {
    "EXIF": {"label"},
    "XMP": set[str](),
    "IPTC": {"camera", "lens", "exposure", "aperture", "iso", "focal_length", "rating", "label", "gps"},
    "text": {*TOLD} - {"taken_at", "taken_local", "title", "description"},
}


@needs_exiftool
@pytest.mark.parametrize(
    ("form", "place"), [(form, place) for form, places in HAS.items() if form in FORMATS for place in places]
)
def test_what_exiftool_writes_is_read(form: str, place: str, tmp_path: Path) -> None:
    file = tmp_path / Case(form, place, "all", True).file_name
    file.write_bytes(encoded(quarters(), form))
    exiftool.write([file], *WRITTEN[place])
    facts = {fact: said(value) for fact, value in read_facts(file.read_bytes()).items()}
    assert facts == {fact: value for fact, value in TOLD.items() if fact not in NOT_IN[place]}
