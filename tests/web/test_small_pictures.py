"""Small pictures of points: those that are kept, those that are made, and those that are not shown."""

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pictures.paths import NotAllowed
from tests.web.test_tokens import settings_in
from web.files.served import ServedFiles
from web.files.small import SmallPictures


def payload_of(file: Path) -> dict[str, Any]:
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"uri": file.as_uri(), "root": file.parent.as_uri(), "sha256": sha256}


def noise(file: Path) -> Path:
    Image.frombytes("RGB", (200, 200), os.urandom(120_000)).save(file)
    return file


def small_pictures(folder: Path, **web: object) -> SmallPictures:
    settings = settings_in(folder, **web)
    return SmallPictures(settings, ServedFiles(settings))


def test_a_picture_is_made_once_and_then_kept(tmp_path: Path) -> None:
    payload, small = payload_of(noise(tmp_path / "a.png")), small_pictures(tmp_path / "data")
    assert small.kept(payload, 256) is None
    made = small.make(payload, 256)
    assert small.kept(payload, 256) == made
    assert small.kept(payload, 1440) is None
    assert small_pictures(tmp_path / "data").kept(payload, 256) == made


def test_a_file_that_is_another_one_by_now_is_not_kept_as_the_old_one(tmp_path: Path) -> None:
    file = noise(tmp_path / "a.png")
    payload, small = payload_of(file), small_pictures(tmp_path / "data")
    noise(file)
    made = small.make(payload, 256)
    assert small.kept(payload, 256) is None
    assert small.kept(payload_of(file), 256) == made


def test_what_is_kept_is_shown_without_its_file_but_never_from_outside_of_the_roots(tmp_path: Path) -> None:
    file = noise(tmp_path / "a.png")
    payload, small = payload_of(file), small_pictures(tmp_path / "data")
    made = small.make(payload, 256)
    file.unlink()
    assert small.kept(payload, 256) == made
    for elsewhere in (payload, {**payload, "uri": "s3://bucket/a.png", "root": "s3://bucket"}):
        with pytest.raises(NotAllowed, match=r"outside of the roots"):
            small_pictures(tmp_path / "data", roots=["/photos"]).kept(elsewhere, 256)
