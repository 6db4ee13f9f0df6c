"""A real server over a real stack with the shipped checkpoints, up for all tests of this folder, and its pictures."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from models.scenes import Scene, draw
from tests.e2e.conftest import Home, free_port
from tests.e2e.ingests import wait_for_words

DATED = {"2024:05:": 5, "2023:11:": 3}
HOSTILE = "<img src=x onerror=document.title=1>.png"
FILES = 24


@dataclass
class Site:
    """A running server: its address, the home of its stack, the folder that it has ingested, and by which job."""

    url: str
    home: Home
    folder: Path
    http: httpx.Client
    job: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The answer of the interface to a question that it must answer."""
        answer = self.http.get(f"/api/v1/{path}", params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def finished(self, job: str) -> dict[str, Any]:
        """A job, once it has come to its end, however long that takes."""
        with self.http.stream("GET", f"/api/v1/jobs/{job}/events") as events:
            for _ in events.iter_lines():
                pass
        return self.get(f"jobs/{job}")


def serve(home: Home, *options: str, **env: str) -> "tuple[subprocess.Popen[str], str]":
    """Start a server and wait until it says where it is; the process, and its address on this machine."""
    port = free_port()
    process = home.start("--port", str(port), *options, module="web", **env)
    # It listens already when it says so; what is asked before it answers waits.
    wait_for_words(process, "Darkroom is at")
    return process, f"http://127.0.0.1:{port}"


def stop(process: "subprocess.Popen[str]") -> None:
    """End a server as a person does."""
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (0, False), err


def save_dated(picture: Image.Image, path: Path, day: str) -> None:
    """Save a JPEG that says when it was taken, by what and where."""
    exif = Image.Exif()
    exif[272] = "X100"
    exif.get_ifd(0x8769)[36867] = f"{day} 12:00:00"
    # In the middle of Berlin.
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    picture.save(path, exif=exif, quality=92)


@pytest.fixture(scope="session")
def album(tmp_path_factory: pytest.TempPathFactory, scenes: list[Scene]) -> Path:
    """Dated pictures of two months, undated ones of two shapes, a copy, a broken file, and a name that is markup."""
    folder = tmp_path_factory.mktemp("album")
    drawn = [draw(scene, random.Random(number), 192) for number, scene in enumerate(scenes[:FILES])]
    rest = iter(enumerate(drawn))
    for month, count in DATED.items():
        for day in range(1, count + 1):
            number, picture = next(rest)
            save_dated(picture, folder / f"dated-{number:02}.jpg", f"{month}{day:02}")
    for number, picture in rest:
        wide = picture.crop((0, 40, 192, 150)) if number % 3 == 0 else picture
        wide.save(folder / (HOSTILE if number == FILES - 1 else f"plain-{number:02}.png"))
    shutil.copy(folder / "dated-00.jpg", folder / "copy of it.jpg")
    (folder / "broken.jpg").write_bytes((folder / "dated-01.jpg").read_bytes()[:900])
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, album: Path) -> Iterator[Site]:
    """A server on this machine's own address, whose collection holds the album; ingested over the interface."""
    # All tests are one client, and a fast machine would have them ask too much in a minute.
    settings = {"DARKROOM__INGEST__WINDOW": "8", "DARKROOM__WEB__REQUESTS": "1000000"}
    home = Home(tmp_path_factory.mktemp("site") / "data", settings)
    process, url = serve(home)
    try:
        with httpx.Client(base_url=url, timeout=120) as http:
            site = Site(url, home, album, http)
            begun = http.post("/api/v1/ingest_directory", json={"directory": os.fspath(album)})
            assert begun.status_code == 202, begun.text
            site.job = begun.json()["job"]
            site.finished(site.job)
            found = site.get("search", where="width>=1", limit=100)["results"]
            site.ids = {hit["name"]: hit["id"] for hit in found}
            yield site
    finally:
        stop(process)
