"""What the interface computes of texts and pictures the commands print as well."""

import base64

import pytest

from models.scenes import Scene
from tests.web.conftest import Site


def test_a_text_and_a_picture_are_embedded_alike_by_the_interface_and_by_the_command(site: Site) -> None:
    asked = {"texts": ["a large red circle"], "encoding": "list"}
    wanted = site.http.post("/api/v1/embed", json=asked).json()["vectors"][0]
    printed = site.home.run("embed", "a large red circle")
    assert printed.returncode == 0, printed.stderr
    assert [float(number) for number in printed.stdout.split()] == pytest.approx(wanted, abs=1e-6)
    file = site.folder / "plain-10.png"
    asked = {"images": [base64.b64encode(file.read_bytes()).decode()], "encoding": "list"}
    wanted = site.http.post("/api/v1/embed", json=asked).json()["vectors"][0]
    assert site.home.json("embed", "--image", str(file))["vectors"][0] == pytest.approx(wanted, abs=1e-3)


def test_pictures_are_captioned_and_one_that_is_broken_is_named_alone(site: Site, scenes: list[Scene]) -> None:
    good, broken = str(site.folder / "plain-10.png"), str(site.folder / "broken.jpg")
    done = site.home.run("caption", good, broken)
    assert (done.returncode, done.stdout) == (1, f"{scenes[10].sentence}\t{good}\n")
    assert done.stderr.startswith(f"{broken}: ")
    assert "Traceback" not in done.stderr


def test_what_to_embed_must_be_said_and_read(site: Site) -> None:
    for arguments, sentence in (
        ((), "Say what to embed"),
        (("--image", "/nowhere.jpg"), "/nowhere.jpg cannot be read"),
    ):
        done = site.home.run("embed", *arguments)
        assert done.returncode == 2
        assert sentence in done.stderr
