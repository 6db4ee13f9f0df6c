"""The camera, its lens and its settings, as people say them."""

import struct
from typing import Any

import pytest
from PIL import ExifTags
from PIL.TiffImagePlugin import IFDRational

from tests.pictures.facts.written import exif_block, jpeg, with_exif, with_xmp
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

BASE = ExifTags.Base


@pytest.mark.parametrize(
    ("make", "model", "called"),
    [
        ("NIKON CORPORATION", "NIKON Z 6", "NIKON Z 6"),
        ("NIKON CORPORATION", "Z 6", "NIKON Z 6"),
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("OLYMPUS IMAGING CORP.", "E-M10", "OLYMPUS E-M10"),
        ("OLYMPUS OPTICAL CO.,LTD", "C2040Z", "OLYMPUS C2040Z"),
        ("SAMSUNG TECHWIN", "VLUU L100", "SAMSUNG VLUU L100"),
        (
            "EASTMAN KODAK COMPANY",
            "KODAK EASYSHARE C813 ZOOM DIGITAL CAMERA",
            "KODAK EASYSHARE C813 ZOOM DIGITAL CAMERA",
        ),
        ("Eastman Kodak Company", "DC210 Zoom", "KODAK DC210 Zoom"),
        ("CASIO COMPUTER CO.,LTD.", "EX-Z750", "CASIO EX-Z750"),
        ("PENTAX Corporation", "PENTAX K10D", "PENTAX K10D"),
        ("RICOH IMAGING COMPANY, LTD.", "RICOH GR III", "RICOH GR III"),
        ("Konica Minolta Camera, Inc.", "DiMAGE Z3", "Konica Minolta DiMAGE Z3"),
        ("LEICA CAMERA AG", "LEICA Q2", "LEICA Q2"),
        ("SONY", "ILCE-7M3", "SONY ILCE-7M3"),
        ("Camera", "Obscura", "Camera Obscura"),
        ("Apple\0\0", "", "Apple"),
        ("WWL", "ION230\0F", "WWL ION230"),
        ("", "Z 6", "Z 6"),
    ],
)
def test_make_and_model_are_what_people_call_it(make: str, model: str, called: str) -> None:
    assert with_exif({BASE.Make: make, BASE.Model: model})["camera"] == called


def test_the_camera_counts_in_the_wrong_directory_and_by_its_unique_name() -> None:
    assert with_exif({}, {BASE.Make: "Canon", BASE.Model: "Canon EOS R5"})["camera"] == "Canon EOS R5"
    assert with_exif({50708: "Blackmagic Pocket Cinema Camera"})["camera"] == "Blackmagic Pocket Cinema Camera"


@pytest.mark.parametrize("written", ["----", "0.0 mm f/0.0", "Unknown", "  "])
def test_a_lens_that_the_camera_did_not_know_is_none(written: str) -> None:
    assert "lens" not in with_exif({}, {BASE.LensModel: written})


@pytest.mark.parametrize(
    ("tag", "value", "name"),
    [
        (BASE.ExposureTime, IFDRational(1, 0), "exposure"),
        (BASE.FNumber, IFDRational(0, 0), "aperture"),
        (BASE.ISOSpeedRatings, 65535, "iso"),
        (BASE.ISOSpeedRatings, 0, "iso"),
    ],
)
def test_a_setting_that_no_camera_has_hides_none_that_xmp_says(tag: int, value: Any, name: str) -> None:
    packet = xmp(
        "<exif:ExposureTime>1/250</exif:ExposureTime><exif:FNumber>28/10</exif:FNumber>"
        "<exif:ISOSpeedRatings><rdf:Seq><rdf:li>400</rdf:li></rdf:Seq></exif:ISOSpeedRatings>"
    )
    block = exif_block({}, {tag: value})
    assert name not in seen(jpeg(block)).facts
    assert seen(jpeg(block, packet)).facts == {"exposure": 0.004, "aperture": 2.8, "iso": 400}


def test_an_iso_that_does_not_fit_stands_elsewhere() -> None:
    overflow = {BASE.ISOSpeedRatings: 65535, BASE.RecommendedExposureIndex: 102400}
    assert with_exif({}, overflow)["iso"] == 102400
    assert with_exif({}, {BASE.ISOSpeedRatings: 65535, BASE.ISOSpeed: 204800})["iso"] == 204800
    packet = xmp("<exifEX:PhotographicSensitivity>65535</exifEX:PhotographicSensitivity>"
                 "<exifEX:RecommendedExposureIndex>102400</exifEX:RecommendedExposureIndex>")  # fmt: skip
    assert with_xmp(packet)["iso"] == 102400


def test_what_exif_does_not_say_xmp_does() -> None:
    packet = xmp(
        "<tiff:Make>Canon</tiff:Make><tiff:Model>Canon EOS 5DS R</tiff:Model><aux:Lens>EF50mm f/1.8 STM</aux:Lens>"
        "<exif:ExposureTime>1/250</exif:ExposureTime><exif:FNumber>28/10</exif:FNumber>"
        "<exif:FocalLength>50/1</exif:FocalLength>"
        "<exif:ISOSpeedRatings><rdf:Seq><rdf:li>400</rdf:li></rdf:Seq></exif:ISOSpeedRatings>"
    )
    told = {"camera": "Canon EOS 5DS R", "lens": "EF50mm f/1.8 STM", "exposure": 0.004, "aperture": 2.8, "iso": 400}
    assert with_xmp(packet) == told | {"focal_length": 50.0}
    block = exif_block({BASE.Make: "Canon", BASE.Model: "Canon EOS R5"}, {BASE.LensModel: "RF50mm"})
    assert seen(jpeg(block, packet)).facts == told | {"focal_length": 50.0, "camera": "Canon EOS R5", "lens": "RF50mm"}


def entry(tag: int, kind: int, count: int, value: bytes) -> bytes:
    return struct.pack("<HHL", tag, kind, count) + value.ljust(4, b"\0")


def canon_exif(lens: bytes) -> bytes:
    """EXIF of a Canon whose maker notes hold the lens; offsets in them count from the beginning of EXIF."""
    make = b"Canon\0"
    text = lens + b"\0"
    # Header, first directory of two entries, its text, the Exif directory of one, the notes of one, their text.
    at_make, at_exif = 8 + 2 + 24 + 4, 8 + 2 + 24 + 4 + len(make)
    at_note, at_text = at_exif + 2 + 12 + 4, at_exif + 2 + 12 + 4 + 2 + 12 + 4
    note = struct.pack("<H", 1) + entry(0x0095, 2, len(text), struct.pack("<L", at_text)) + bytes(4)
    first = (
        struct.pack("<H", 2)
        + entry(BASE.Make, 2, len(make), struct.pack("<L", at_make))
        + entry(ExifTags.IFD.Exif, 4, 1, struct.pack("<L", at_exif))
    )
    detail = struct.pack("<H", 1) + entry(BASE.MakerNote, 7, len(note) + len(text), struct.pack("<L", at_note))
    return b"Exif\0\0II*\0\x08\0\0\0" + first + bytes(4) + make + detail + bytes(4) + note + text


def olympus_note(lens: bytes) -> bytes:
    """Maker notes of an Olympus: offsets in them count from their own beginning."""
    text = lens + b"\0"
    at_equipment, at_text = 12 + 2 + 12 + 4, 12 + 2 * (2 + 12 + 4)
    first = struct.pack("<H", 1) + entry(0x2010, 13, 1, struct.pack("<L", at_equipment)) + bytes(4)
    equipment = struct.pack("<H", 1) + entry(0x0203, 2, len(text), struct.pack("<L", at_text)) + bytes(4)
    return b"OLYMPUS\0II\x03\0" + first + equipment + text


def test_a_lens_that_only_the_notes_of_the_maker_name_is_read() -> None:
    assert seen(jpeg(canon_exif(b"EF-S18-55mm f/3.5-5.6 IS"))).facts["lens"] == "EF-S18-55mm f/3.5-5.6 IS"
    note = olympus_note(b"OLYMPUS M.14-42mm F3.5-5.6 II R")
    assert with_exif({BASE.Make: "OLYMPUS"}, {BASE.MakerNote: note})["lens"] == "OLYMPUS M.14-42mm F3.5-5.6 II R"


@pytest.mark.parametrize("end", [0, 1, 13, 20, 40])
def test_notes_that_are_cut_off_name_no_lens(end: int) -> None:
    assert "lens" not in with_exif({BASE.Make: "OLYMPUS"}, {BASE.MakerNote: olympus_note(b"OLYMPUS M.14-42mm")[:end]})
