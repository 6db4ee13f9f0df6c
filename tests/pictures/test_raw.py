"""RAW files: the camera's preview where it will do, else what the sensor saw; upright, with the sensor's size."""

import random
import sys
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction

import numpy as np
import pytest
import rawpy
from numpy.typing import NDArray
from PIL import Image

from models.scenes import Scene, draw
from pictures.decode import decode
from pictures.picture import LoadError
from pictures.preprocessing import fit
from pictures.raw import picture_size
from pictures.signature import format_of
from tests.pictures.made.cr3_file import cr3_file
from tests.pictures.made.described import xmp
from tests.pictures.made.pictures import WHOLE, colour_at, encoded, levels_apart, lying, quarters, seen, smooth
from tests.pictures.made.raw_files import ASCII, DEVELOPED, LONG, RATIONAL, SHORT, Entry, raw_file
from workers.inference.embedders.embedder import Embedder

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

KINDS = ("DNG", "NEF", "CR2", "CR3", "ARW", "ORF", "RW2", "RAF", "RAW")
RED = Image.new("RGB", (192, 128), (200, 20, 20))


@pytest.fixture(scope="module")
def scene(scenes: list[Scene]) -> Image.Image:
    return draw(scenes[3], random.Random(3), 192)


@pytest.fixture(scope="module")
def vector_of(clip: Embedder) -> Callable[[bytes], NDArray[np.float32]]:
    return lambda data: clip.embed_pictures([decode(data, 10**6, clip.model_input, None).clip])[0]


@pytest.mark.parametrize("form", KINDS)
def test_a_raw_file_with_a_preview_has_the_vector_of_the_same_picture_as_png(
    form: str, scene: Image.Image, vector_of: Callable[[bytes], NDArray[np.float32]]
) -> None:
    preview = encoded(scene, "JPEG", quality=92)
    data = cr3_file(scene.size, preview) if form == "CR3" else raw_file(form, scene, preview=preview)
    picture = seen(data)
    assert (picture.format, picture.width, picture.height) == (form, 192, 192)
    assert float(vector_of(data) @ vector_of(encoded(scene, "PNG"))) >= 0.97


def test_a_dng_without_a_preview_is_developed_to_the_vector_of_the_same_picture_as_png(
    scene: Image.Image, vector_of: Callable[[bytes], NDArray[np.float32]]
) -> None:
    data = raw_file("DNG", scene)
    assert (seen(data).format, seen(data).width, seen(data).height) == ("DNG", 192, 192)
    assert float(vector_of(data) @ vector_of(encoded(scene, "PNG"))) >= 0.97


@pytest.mark.parametrize("form", DEVELOPED)
def test_a_raw_file_without_a_preview_is_developed(form: str) -> None:
    # LibRaw cannot know the colours of cameras that never were; this picture is grey on the whole, so it guesses right.
    picture = seen(raw_file(form, smooth(240, 160)))
    assert (picture.format, picture.width, picture.height) == (form, 240, 160)
    assert levels_apart(picture.clip, fit(smooth(240, 160), WHOLE)) < 4


def test_the_preview_stands_for_the_picture_when_it_is_large_enough() -> None:
    large = seen(raw_file("DNG", smooth(192, 128), preview=encoded(RED, "JPEG"))).clip
    small = seen(raw_file("DNG", smooth(192, 128), preview=encoded(RED.resize((60, 40)), "JPEG"))).clip
    assert levels_apart(large, fit(RED, WHOLE)) < 4
    assert levels_apart(small, fit(smooth(192, 128), WHOLE)) < 4


# A preview that its camera turned over without changing its shape cannot be told from one that lies as the sensor did.
TURNS = [(turn, kind) for turn in range(1, 9) for kind in ("developed", "as the sensor lay")]


@pytest.mark.parametrize(("orientation", "kind"), [*TURNS, *((turn, "upright already") for turn in (5, 6, 7, 8))])
def test_every_orientation_is_applied_once(orientation: int, kind: str) -> None:
    upright = quarters(192, 128)
    as_it_lay = lying(upright, orientation)
    previews = {"as the sensor lay": encoded(as_it_lay, "JPEG"), "upright already": encoded(upright, "JPEG")}
    picture = seen(raw_file("DNG", as_it_lay, orientation, previews.get(kind)))
    assert (picture.width, picture.height) == (192, 128)
    # Developing brightens a little; any wrong turn is 60 levels away and more.
    assert levels_apart(picture.clip, fit(upright, WHOLE)) < (20 if kind == "developed" else 6)


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_preview_that_notes_the_turn_as_well_is_turned_once(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    as_it_lay = lying(quarters(192, 128), orientation)
    picture = seen(raw_file("DNG", as_it_lay, orientation, encoded(as_it_lay, "JPEG", exif=exif.tobytes())))
    assert (picture.width, picture.height) == (192, 128)
    assert levels_apart(picture.clip, fit(quarters(192, 128), WHOLE)) < 6


def test_the_size_is_the_sensors_and_not_the_previews() -> None:
    picture = seen(raw_file("DNG", smooth(240, 160), preview=encoded(smooth(120, 80), "JPEG")))
    assert (picture.width, picture.height) == (240, 160)


def test_a_damaged_preview_is_no_loss_while_the_sensors_data_are_there() -> None:
    preview = encoded(RED, "JPEG")
    picture = seen(raw_file("DNG", smooth(192, 128), preview=preview[:200] + bytes(len(preview) - 200)))
    assert levels_apart(picture.clip, fit(smooth(192, 128), WHOLE)) < 4


def test_a_small_preview_is_better_than_nothing() -> None:
    data = raw_file("ARW", smooth(192, 128), preview=encoded(RED.resize((60, 40)), "JPEG"))
    assert colour_at(seen(data).clip, 0.5, 0.5)[0] > 180


@pytest.mark.parametrize("form", ["DNG", "NEF", "CR3", "ORF", "RW2", "RAF"])
def test_a_raw_file_cut_off_anywhere_is_the_right_picture_or_none(form: str) -> None:
    preview = encoded(smooth(96, 64), "JPEG")
    data = cr3_file((96, 64), preview) if form == "CR3" else raw_file(form, smooth(96, 64), preview=preview)
    right = seen(data).clip
    for twentieth in range(1, 20):
        # LibRaw reads on behind the end, into whatever the memory holds: such a picture must not be stored.
        with suppress(LoadError):
            assert levels_apart(seen(data[: len(data) * twentieth // 20]).clip, right) < 1


@pytest.mark.parametrize("form", DEVELOPED)
def test_a_raw_file_cut_off_in_the_sensors_data_says_so(form: str) -> None:
    data = raw_file(form, smooth(96, 64))
    with pytest.raises(LoadError, match="the picture is cut off: its data end too early"):
        seen(data[: len(data) // 2])


def test_too_many_pixels_are_refused_by_the_header() -> None:
    data = raw_file("DNG", smooth(192, 128), preview=encoded(RED, "JPEG"))
    with pytest.raises(LoadError, match=r"192 x 128 = 24,576 pixels are more than ingest\.max_pixels = 24,575"):
        decode(data, 24_575, WHOLE, None)
    assert decode(data, 24_576, WHOLE, None).width == 192


XMP = xmp("<dc:subject><rdf:Bag><rdf:li>owl</rdf:li></rdf:Bag></dc:subject>")
EXIF: list[Entry] = [
    (36867, ASCII, b"2024:07:05 18:31:02\0"),
    (36881, ASCII, b"+02:00\0"),
    (33434, RATIONAL, [Fraction(1, 250)]),
    (33437, RATIONAL, [Fraction(28, 10)]),
    (34855, SHORT, [400]),
    (37386, RATIONAL, [Fraction(35)]),
    (42036, ASCII, b"35mm F2\0"),
]
TOLD = {
    "taken_at": "2024-07-05T18:31:02+02:00",
    "taken_local": "2024-07-05T18:31:02",
    "lens": "35mm F2",
    "exposure": 0.004,
    "aperture": 2.8,
    "iso": 400,
    "focal_length": 35.0,
    "keywords": ["owl"],
}


@pytest.mark.parametrize("form", ["DNG", "NEF", "CR2", "ARW", "ORF", "RW2"])
def test_the_facts_of_a_raw_file_are_read(form: str) -> None:
    found = seen(raw_file(form, smooth(192, 128), preview=encoded(RED, "JPEG"), exif=EXIF, xmp=XMP)).facts
    assert found.pop("camera").endswith(" One")
    assert found == TOLD


def test_a_cr3_file_keeps_its_facts_in_boxes() -> None:
    place: list[Entry] = [
        (1, ASCII, b"S\0"),
        (2, RATIONAL, [Fraction(33), Fraction(51), Fraction(24)]),
        (3, ASCII, b"E\0"),
        (4, RATIONAL, [Fraction(151), Fraction(12), Fraction(36)]),
    ]
    found = seen(cr3_file((192, 128), encoded(RED, "JPEG"), exif=EXIF, place=place, xmp=XMP)).facts
    assert found.pop("gps") == pytest.approx({"lat": -33.856667, "lon": 151.21}, abs=1e-5)
    assert found == TOLD | {"camera": "Canon EOS R5"}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_cr3_file_is_turned_once(orientation: int) -> None:
    as_it_lay = lying(quarters(192, 128), orientation)
    picture = seen(cr3_file(as_it_lay.size, encoded(as_it_lay, "JPEG"), orientation))
    assert (picture.width, picture.height) == (192, 128)
    assert levels_apart(picture.clip, fit(quarters(192, 128), WHOLE)) < 6


def test_a_raf_file_keeps_its_facts_in_its_jpeg() -> None:
    exif = Image.Exif()
    exif.update({271: "FUJIFILM", 272: "X-T1"})
    preview = encoded(smooth(192, 128), "JPEG", exif=exif.tobytes())
    assert seen(raw_file("RAF", smooth(192, 128), preview=preview)).facts == {"camera": "FUJIFILM X-T1"}


def test_an_ordinary_tiff_from_a_camera_is_no_raw_file() -> None:
    exif = Image.Exif()
    exif.update({271: "NIKON CORPORATION", 272: "Z 6"})
    picture = seen(encoded(smooth(192, 128), "TIFF", exif=exif))
    assert (picture.format, picture.facts["camera"]) == ("TIFF", "NIKON Z 6")


def test_without_rawpy_the_reason_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rawpy", None)
    with pytest.raises(LoadError, match="a DNG file needs the package rawpy, which is not installed here"):
        seen(raw_file("DNG", smooth(192, 128)))


def test_the_border_that_the_camera_cuts_off_its_sensor_is_no_part_of_the_picture() -> None:
    framed = Image.new("RGB", (200, 140), "black")
    framed.paste(smooth(184, 120), (8, 12))
    crop: list[Entry] = [(50719, LONG, [8, 12]), (50720, LONG, [184, 120])]
    developed = seen(raw_file("DNG", framed, beside=crop))
    assert (developed.width, developed.height) == (184, 120)
    assert levels_apart(developed.clip, fit(smooth(184, 120), WHOLE)) < 4
    with_preview = seen(raw_file("DNG", framed, preview=encoded(smooth(184, 120), "JPEG"), beside=crop))
    assert (with_preview.width, with_preview.height) == (184, 120)


def test_a_cr3_file_that_is_cut_off_has_its_small_preview() -> None:
    data = cr3_file((192, 128), encoded(smooth(192, 128), "JPEG"), small=encoded(RED.resize((162, 108)), "JPEG"))
    assert levels_apart(seen(data).clip, fit(smooth(192, 128), WHOLE)) < 4
    picture = seen(data[:-200])
    assert (picture.format, picture.width, picture.height) == ("CR3", 192, 128)
    assert colour_at(picture.clip, 0.5, 0.5)[0] > 180


def test_a_sensor_of_fujifilm_whose_rows_run_across_has_the_size_of_its_picture() -> None:
    sizes = rawpy.ImageSizes(*[0] * 14)._replace(width=3552, height=3551)
    data = raw_file("RAF", smooth(192, 128), preview=encoded(RED, "JPEG"), told=(4256, 1424))
    assert picture_size(sizes, data, "RAF") == (4256, 2848)
    assert picture_size(sizes, data, "DNG") == (3552, 3551)


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"II\x1a\0\0\0HEAPCCDR", "CRW"),
        (b"\0MRM", "MRW"),
        (b"FOVb", "X3F"),
        (b"II*\0\x10\0\0\0IIIITwaR", "RAW"),
    ],
)
def test_a_raw_file_of_any_maker_is_told_by_its_beginning(start: bytes, kind: str) -> None:
    assert format_of(start.ljust(200, b"\0")) == kind
    with pytest.raises(LoadError, match=f"its {kind} data are damaged"):
        seen(start.ljust(200, b"\0"))
