"""When a picture was taken: the best source that says a day that can be, in the order of exiftool and Lightroom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import ExifTags

from pictures.facts.times import moment
from tests.pictures.facts.written import DATE, TIME, Tags, exif_block, jpeg, png, with_exif
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

BASE = ExifTags.Base
BEFORE, SAVED = "2003:09:10 20:59:18", "2012:01:01 00:00:00"


def taken(data: bytes) -> Any:
    return seen(data).facts.get("taken_at")


@pytest.mark.parametrize(
    ("written", "offset", "read"),
    [
        ("2024:07:05 18:31:02", "", "2024-07-05T18:31:02"),
        ("2024-07-05 18:31:02", "-05:30", "2024-07-05T18:31:02-05:30"),
        ("2024/07/05 18:31:02", "", "2024-07-05T18:31:02"),
        ("2024:07:05T18:31:02.123+02:00", "", "2024-07-05T18:31:02+02:00"),
        ("2024:07:05 18:31:02", "Z", "2024-07-05T18:31:02+00:00"),
        ("2024:07:05 18:31:02", "+0200", "2024-07-05T18:31:02+02:00"),
        ("2024:07:05 18:31:02", "+99:99", "2024-07-05T18:31:02"),
        ("2024:07:05 18:31:02", "summer", "2024-07-05T18:31:02"),
        ("2024:07:05 18:31", "", "2024-07-05T18:31:00"),
        ("2016:12:31 23:59:60", "", "2016-12-31T23:59:59"),
        ("2024:07:05", "", "2024-07-05"),
        ("2024:07:05   :  :  ", "", "2024-07-05"),
        ("2024:07:00 00:00:00", "", "2024-07"),
        ("1988:00:00 00:00:00", "", "1988"),
        ("1826:01:01 00:00:00", "", "1826-01-01T00:00:00"),
    ],
)
def test_a_time_is_read_as_exactly_as_it_is_known(written: str, offset: str, read: str) -> None:
    assert with_exif({}, {BASE.DateTimeOriginal: written, BASE.OffsetTimeOriginal: offset})["taken_at"] == read


IMPOSSIBLE = [
    "0000:00:00 00:00:00",
    "    :  :     :  :  ",
    "                   ",
    "2024:02:30 18:31:02",
    "2024:13:01 18:31:02",
    "2024:07:05 24:00:00",
    "2024:07:05 18:60:00",
    "2024:07:05 18:31:61",
    "0001:01:01 00:00:00",
    "1825:12:31 23:59:59",
    "2555:01:01 00:00:00",
    "1904:01:01 00:00:00",
    "1970:01:01 00:00:00",
    "2002:12:08 12:00:00",
    "yesterday, I believe",
    "2024:07:05 18:31:02 or so",
]


@pytest.mark.parametrize("written", IMPOSSIBLE)
def test_a_time_that_cannot_be_is_none_and_hides_no_other(written: str) -> None:
    assert "taken_at" not in with_exif({}, {BASE.DateTimeOriginal: written})
    assert with_exif({}, {BASE.DateTimeOriginal: written, BASE.DateTimeDigitized: BEFORE})["taken_at"][:4] == "2003"
    assert with_exif({BASE.DateTime: BEFORE}, {BASE.DateTimeOriginal: written})["taken_at"] == "2003-09-10T20:59:18"


def test_tomorrow_can_be_where_the_day_begins_earlier_but_not_the_day_after() -> None:
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
    assert moment((now + timedelta(hours=14)).isoformat()) is not None
    assert moment((now + timedelta(days=3)).isoformat()) is None


# Each says another year, the best one first; a case takes all from one of them on.
SOURCES: list[tuple[str, dict[str, Any]]] = [
    ("2001", {"detail": {BASE.DateTimeOriginal: "2001:01:02 03:04:05"}}),
    ("2002", {"xmp": 'exif:DateTimeOriginal="2002-01-02T03:04:05"'}),
    ("2003", {"xmp": 'photoshop:DateCreated="2003-01-02"'}),
    ("2004", {"iptc": [(DATE, b"20040102"), (TIME, b"030405+0100")]}),
    ("2005", {"detail": {BASE.DateTimeDigitized: "2005:01:02 03:04:05"}}),
    ("2006", {"xmp": 'xmp:CreateDate="2006-01-02T03:04:05Z"'}),
    ("2007", {"base": {BASE.DateTime: "2007:01:02 03:04:05"}}),
]


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=[year for year, _ in SOURCES])
def test_the_best_source_that_is_there_is_read(first: int) -> None:
    base: Tags = {}
    detail: Tags = {}
    iptc: list[tuple[tuple[int, int], bytes]] = []
    properties = ""
    for _, source in SOURCES[first:]:
        base |= source.get("base", {})
        detail |= source.get("detail", {})
        iptc += source.get("iptc", [])
        properties += " " + source.get("xmp", "")
    packet = xmp("").replace(b'rdf:about=""', f'rdf:about=""{properties}'.encode())
    assert taken(jpeg(exif_block(base, detail), packet, iptc))[:4] == SOURCES[first][0]


def test_the_original_counts_in_the_first_directory_too() -> None:
    assert with_exif({BASE.DateTimeOriginal: BEFORE, BASE.DateTime: SAVED})["taken_at"] == "2003-09-10T20:59:18"


def test_the_offset_is_that_of_the_time_which_is_read() -> None:
    changed = {BASE.OffsetTime: "+09:00", BASE.OffsetTimeOriginal: "+02:00", BASE.OffsetTimeDigitized: "+05:00"}
    assert with_exif({BASE.DateTime: BEFORE}, changed)["taken_at"] == "2003-09-10T20:59:18+09:00"
    changed[BASE.DateTimeDigitized] = BEFORE
    assert with_exif({BASE.DateTime: SAVED}, changed)["taken_at"] == "2003-09-10T20:59:18+05:00"


def test_iptc_has_a_date_and_perhaps_a_time() -> None:
    assert taken(jpeg(iptc=[(DATE, b"20031231"), (TIME, b"235900-0800")])) == "2003-12-31T23:59:00-08:00"
    assert taken(jpeg(iptc=[(DATE, b"20031231")])) == "2003-12-31"
    assert taken(jpeg(iptc=[(DATE, b"20031231"), (TIME, b"noon")])) == "2003-12-31"
    assert taken(jpeg(iptc=[(DATE, b"19880000")])) == "1988"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"Mon, 14 Jul 2014 12:00:00 +0200", "2014-07-14T12:00:00+02:00"),
        (b"14 Jul 2014 12:00:00 GMT", "2014-07-14T12:00:00+00:00"),
        (b"2014:07:14 12:00:00", "2014-07-14T12:00:00"),
        (b"2014-07-14T12:00:00Z", "2014-07-14T12:00:00+00:00"),
        (b"Tue 07 Sep 2021 11:33:18 PM CEST", None),
    ],
)
def test_the_creation_time_of_a_png_is_read_where_it_is_clear(written: bytes, read: str | None) -> None:
    assert taken(png((b"tEXt", b"Creation Time\0" + written))) == read


def test_when_a_png_was_saved_is_not_when_it_was_taken() -> None:
    assert taken(png((b"tIME", bytes([2014 >> 8, 2014 & 255, 7, 14, 12, 0, 0])))) is None


def test_the_day_of_the_camera_stands_beside_a_time_with_an_offset_or_without_a_day() -> None:
    def local(written: str, offset: str = "") -> str | None:
        return with_exif({}, {BASE.DateTimeOriginal: written, BASE.OffsetTimeOriginal: offset}).get("taken_local")

    assert local("2024:01:01 00:30:00", "+02:00") == "2024-01-01T00:30:00"
    assert local("2024:01:01 00:30:00") is None
    assert local("2024:01:01") is None
    assert local("1988:00:00") == "1988-01-01"
    assert local("1988:07:00") == "1988-07-01"
