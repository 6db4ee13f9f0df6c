"""Facts from EXIF: right where they are right, left out where they are broken, never the end of a picture."""

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from tests.pictures.facts.written import exif_block
from tests.pictures.made.pictures import FORMATS, encoded, quarters, seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

BASE, GPS = ExifTags.Base, ExifTags.GPS
FULL = exif_block(
    {BASE.Make: "Canon", BASE.Model: "Canon EOS R5", BASE.DateTime: "2025:01:01 00:00:00", BASE.Orientation: 1},
    {
        BASE.DateTimeOriginal: "2024:07:05 18:31:02",
        BASE.OffsetTimeOriginal: "+02:00",
        BASE.LensModel: "RF24-70mm F2.8 L IS USM",
        BASE.ExposureTime: IFDRational(1, 250),
        BASE.FNumber: IFDRational(28, 10),
        BASE.ISOSpeedRatings: 400,
        BASE.FocalLength: IFDRational(35),
    },
    {
        GPS.GPSLatitudeRef: "S",
        GPS.GPSLatitude: (33.0, 51.0, 24.0),
        GPS.GPSLongitudeRef: "E",
        GPS.GPSLongitude: (151.0, 12.0, 36.0),
    },
)


def facts(exif: bytes, form: str = "JPEG") -> dict[str, Any]:
    """The facts of a picture that carries this EXIF block."""
    return seen(encoded(quarters(), form, exif=exif)).facts


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("GIF", "BMP")])
def test_time_camera_lens_settings_and_place_are_read(form: str) -> None:
    found = facts(FULL, form)
    place = found.pop("gps")
    assert found == {
        "taken_at": "2024-07-05T18:31:02+02:00",
        "taken_local": "2024-07-05T18:31:02",
        "camera": "Canon EOS R5",
        "lens": "RF24-70mm F2.8 L IS USM",
        "exposure": 0.004,
        "aperture": 2.8,
        "iso": 400,
        "focal_length": 35.0,
    }
    assert place == pytest.approx({"lat": -33.856667, "lon": 151.21}, abs=1e-5)


def test_a_tiff_of_the_large_kind_has_facts_too() -> None:
    exif = Image.Exif()
    exif.load(FULL)
    assert seen(encoded(quarters(), "TIFF", exif=exif, big_tiff=True)).facts == facts(FULL, "TIFF")


def test_a_picture_without_exif_has_no_facts() -> None:
    assert seen(encoded(quarters(), "JPEG")).facts == {}


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [
        (BASE.ExposureTime, IFDRational(1, 0), "exposure"),
        (BASE.ExposureTime, IFDRational(0, 1), "exposure"),
        (BASE.FNumber, IFDRational(0, 0), "aperture"),
        (BASE.FocalLength, IFDRational(4_000_000_000, 1), "focal_length"),
        (BASE.ISOSpeedRatings, 0, "iso"),
        (BASE.ISOSpeedRatings, "high", "iso"),
    ],
)
def test_a_setting_that_no_camera_has_is_left_out(tag: int, value: Any, name: str) -> None:
    assert name not in facts(exif_block({BASE.Model: "Z 6"}, {tag: value}))


def test_a_long_exposure_and_several_sensitivities_are_read() -> None:
    found = facts(exif_block({}, {BASE.ExposureTime: IFDRational(30), BASE.ISOSpeedRatings: (800, 0)}))
    assert found == {"exposure": 30.0, "iso": 800}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "exif",
    [b"Exif\0\0", b"Exif\0\0garbage", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", FULL[:60]],
    ids=["empty", "garbage", "far", "endless", "cut"],
)
def test_broken_exif_does_not_lose_a_picture(form: str, exif: bytes) -> None:
    assert seen(encoded(quarters(), form, exif=exif)).width == 96


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    changes=st.lists(st.tuples(st.integers(6, len(FULL) - 1), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.integers(8, len(FULL)),
)
def test_no_exif_however_damaged_loses_a_picture_or_spoils_its_message(
    changes: list[tuple[int, int]], end: int
) -> None:
    exif = bytearray(FULL)
    for place, value in changes:
        exif[place] = value
    picture = seen(encoded(quarters(), "JPEG", exif=bytes(exif[:end])))
    assert {picture.width, picture.height} == {96, 64}
    assert msgpack.unpackb(msgpack.packb(picture.facts)) == picture.facts
