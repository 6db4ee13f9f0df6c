"""Thumbnails of whatever lies on a disk: small, upright, on white, or none at all."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pictures.thumbnail_store import ThumbnailStore
from pictures.thumbnails import THUMBNAIL, thumbnail, thumbnails, webp
from pictures.uris import uri_of
from tests.pictures.thumbnail_settings import settings_in


def opened(jpeg: bytes | None) -> Image.Image:
    assert jpeg is not None
    image = Image.open(io.BytesIO(jpeg))
    assert image.format == "JPEG"
    return image


def halves(width: int, height: int) -> Image.Image:
    """Red on the left, blue on the right."""
    pixels = np.zeros((height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2, 0] = pixels[:, width // 2 :, 2] = 255
    return Image.fromarray(pixels)


@pytest.mark.parametrize("name", ["a.jpg", "b.png", "c.webp", "d.gif", "e.tif", "f.bmp"])
def test_it_fits_into_the_size_and_keeps_its_shape(tmp_path: Path, name: str) -> None:
    halves(800, 400).save(tmp_path / name)
    image = opened(thumbnail({"uri": (tmp_path / name).as_uri()}, 200))
    assert image.size == (200, 100)
    red, _, blue = image.convert("RGB").getpixel((180, 50))  # type: ignore[misc]  # RGB has three
    assert blue > 200 > 60 > red


def test_a_small_picture_is_not_enlarged(tmp_path: Path) -> None:
    halves(20, 10).save(tmp_path / "a.png")
    assert opened(thumbnail({"uri": (tmp_path / "a.png").as_uri()}, 200)).size == (20, 10)


def test_it_is_upright_and_carries_no_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "Canon"
    halves(80, 40).save(tmp_path / "a.jpg", exif=exif)
    image = opened(thumbnail({"uri": (tmp_path / "a.jpg").as_uri()}, 200))
    assert image.size == (40, 80)
    assert not image.getexif()
    red, _, blue = image.convert("RGB").getpixel((20, 5))  # type: ignore[misc]  # RGB has three
    assert red > 200 > 60 > blue


def test_what_is_transparent_is_white_and_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(tmp_path / "a.png")
    assert opened(thumbnail({"uri": (tmp_path / "a.png").as_uri()}, 40)).convert("L").getpixel((20, 20)) == 255
    Image.fromarray(np.full((40, 40), 128 * 257, dtype=np.uint16)).save(tmp_path / "b.png")
    grey = opened(thumbnail({"uri": (tmp_path / "b.png").as_uri()}, 40)).convert("L").getpixel((20, 20))
    assert grey == pytest.approx(128, abs=2)


def test_a_name_of_any_bytes_is_read(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/na\xefve %20 \xff.png"
    with open(path, "wb") as stream:
        halves(20, 10).save(stream, "PNG")
    assert opened(thumbnail({"uri": uri_of(path)}, 200)).size == (20, 10)


def test_what_cannot_be_read_here_has_none(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    halves(800, 400).save(tmp_path / "cut.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:200])
    os.mkfifo(tmp_path / "pipe.jpg")
    uris = [(tmp_path / name).as_uri() for name in ("text.jpg", "cut.png", "pipe.jpg", "gone.jpg", "")]
    uris += ["s3://bucket/a.jpg", "file:///a%00b", "file://elsewhere/a.jpg", "nonsense"]
    assert thumbnails([{"uri": uri} for uri in uris], 100) == dict.fromkeys(uris)


def test_many_come_back_under_their_own_names(tmp_path: Path) -> None:
    for number in range(1, 13):
        Image.new("RGB", (number * 10, 10)).save(tmp_path / f"{number}.png")
    uris = [(tmp_path / f"{number}.png").as_uri() for number in range(1, 13)]
    found = thumbnails([{"uri": uri} for uri in [*uris, uris[0]]], 500)
    assert [opened(found[uri]).width for uri in uris] == [number * 10 for number in range(1, 13)]


def test_what_is_kept_stands_in_for_a_file_that_is_away_and_for_one_that_need_not_be_decoded(tmp_path: Path) -> None:
    store = ThumbnailStore(settings_in(tmp_path / "data"))
    store.put("aa" * 32, THUMBNAIL, webp(halves(256, 128)))
    away = {"uri": "s3://bucket/a.heic", "sha256": "aa" * 32}
    assert opened(thumbnail(away, 400, store)).size == (256, 128)
    assert thumbnail({**away, "sha256": "bb" * 32}, 400, store) is None
    assert thumbnail(away, 400) is None
    halves(800, 800).save(tmp_path / "a.png")
    here = {"uri": (tmp_path / "a.png").as_uri(), "sha256": "aa" * 32}
    assert opened(thumbnail(here, 128, store)).size == (128, 64)
    assert opened(thumbnail(here, 400, store)).size == (400, 400)
