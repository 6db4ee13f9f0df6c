"""Where a picture was taken: on the right half of the globe, or nowhere."""

from typing import Any

import pytest
from PIL import ExifTags, Image

from pictures.facts.exif import Tags as FileTags
from pictures.facts.place import place_of_exif
from tests.pictures.facts.written import Tags, exif_block, jpeg, with_exif, with_xmp
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

GPS = ExifTags.GPS
SANTIAGO = {"lat": -33.5, "lon": -70.5}
SOUTH, WEST = (33.0, 30.0, 0.0), (70.0, 30.0, 0.0)


def place(latitude: Any, latitude_of: Any, longitude: Any, longitude_of: Any) -> Tags:
    tags = {GPS.GPSLatitude: latitude, GPS.GPSLongitude: longitude}
    references = {GPS.GPSLatitudeRef: latitude_of, GPS.GPSLongitudeRef: longitude_of}
    return tags | {tag: value for tag, value in references.items() if value is not None}


def tags(place: Tags) -> FileTags:
    """Tags that no file has been made of, for files are not to have signed degrees."""
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place)
    return FileTags(exif)


def in_xmp(latitude: str, longitude: str) -> bytes:
    return xmp(f"<exif:GPSLatitude>{latitude}</exif:GPSLatitude><exif:GPSLongitude>{longitude}</exif:GPSLongitude>")


@pytest.mark.parametrize(
    ("south", "west"), [("S", "W"), ("s", "w"), ("S ", " W"), ("South", "WEST"), ("S\0", "W\0")], ids=repr
)
def test_the_half_of_the_globe_is_read_however_it_is_written(south: str, west: str) -> None:
    assert with_exif({}, place=place(SOUTH, south, WEST, west))["gps"] == pytest.approx(SANTIAGO)
    north_east = with_exif({}, place=place(SOUTH, "north", WEST, "e"))["gps"]
    assert north_east == pytest.approx({"lat": 33.5, "lon": 70.5})


@pytest.mark.parametrize(
    ("south", "west"),
    [(None, "W"), ("S", None), (None, None), ("", "W"), ("X", "W"), ("W", "S"), ("0", "1"), ("\1", "W"), ("SW", "W")],
    ids=repr,
)
def test_a_place_whose_half_of_the_globe_nobody_can_tell_is_left_out(south: str | None, west: str | None) -> None:
    assert "gps" not in with_exif({}, place=place(SOUTH, south, WEST, west))


def test_a_sign_that_agrees_with_the_reference_changes_nothing_and_one_that_does_not_is_no_place() -> None:
    signed = ((-33.0, 30.0, 0.0), (-70.0, 30.0, 0.0))
    assert place_of_exif(tags(place(signed[0], "S", signed[1], "W"))) == pytest.approx(SANTIAGO)
    assert place_of_exif(tags(place(signed[0], "N", signed[1], "W"))) is None


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)), ((95.0, 0.0, 0.0), (10.0, 0.0, 0.0)), ((10.0, 0.0), (10.0, 0.0, 0.0))],
)
def test_a_place_that_cannot_be_is_left_out(latitude: tuple[float, ...], longitude: tuple[float, ...]) -> None:
    assert "gps" not in with_exif({}, place=place(latitude, "N", longitude, "E"))


@pytest.mark.parametrize(
    ("latitude", "longitude"), [("33,30.0S", "70,30.0W"), ("33,30,0S", "70,30,0W"), ("33.5s", "70.5w")]
)
def test_xmp_says_a_place_in_its_own_way(latitude: str, longitude: str) -> None:
    assert with_xmp(in_xmp(latitude, longitude))["gps"] == pytest.approx(SANTIAGO)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [
        ("33,30.0", "70,30.0"),
        ("-33.5", "-70.5"),
        ("33,30.0W", "70,30.0S"),
        ("0,0N", "0,0E"),
        ("95,0N", "1,0E"),
        ("", ""),
    ],
)
def test_a_place_in_xmp_that_says_no_half_or_cannot_be_is_left_out(latitude: str, longitude: str) -> None:
    assert "gps" not in with_xmp(in_xmp(latitude, longitude))


def test_exif_says_it_before_xmp_unless_it_says_nothing() -> None:
    here = place((52.0, 30.0, 0.0), "N", (13.0, 30.0, 0.0), "E")
    nothing = place((0.0, 0.0, 0.0), "N", (0.0, 0.0, 0.0), "E")
    packet = in_xmp("33,30.0S", "70,30.0W")
    assert seen(jpeg(exif_block({}, place=here), packet)).facts["gps"] == pytest.approx({"lat": 52.5, "lon": 13.5})
    assert seen(jpeg(exif_block({}, place=nothing), packet)).facts["gps"] == pytest.approx(SANTIAGO)
