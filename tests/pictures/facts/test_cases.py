"""Small files with a known right answer, each for a kind of file that people have."""

from typing import Any

import pytest

from tests.conftest import ROOT
from tests.pictures.made.pictures import seen

# Pillow warns of damage that it reads over; the worker silences it, pytest resets that.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.*")

FOLDER = ROOT / "tests" / "pictures" / "facts" / "cases"
HARBOUR = {"title": "Harbour", "keywords": ["boat"]}
CASES: dict[str, dict[str, Any]] = {
    "png-rawprofile-xmp.png": HARBOUR,
    "png-ztxt-xmp.png": HARBOUR,
    "png-itxt-xmp-control.png": HARBOUR,
    "jpg-xmp-utf16-nobom.jpg": HARBOUR,
    "jpg-xmp-trailing-junk.jpg": HARBOUR,
    "jpg-iptc-empty-title.jpg": {"description": "Sea", "keywords": ["boat"]},
    "d-digitized.jpg": {"taken_at": "2003-09-10T20:59:18"},
    "d-xmp-dto.jpg": {"taken_at": "1988-12-01T18:53:44"},
    "d-blank-dto.jpg": {"taken_at": "2003-09-10T20:59:18"},
    "c-xmp-camera.jpg": {
        "camera": "Canon EOS 5DS R",
        "lens": "EF-S18-55mm f/3.5-5.6 III",
        "iso": 100,
        "exposure": 0.005,
        "aperture": 4.5,
        "focal_length": 10.0,
    },
    "c-iso65535.jpg": {"iso": 102400},
    "t-imagedescription.jpg": {
        "description": "Close up of orange flower",
        "title": "Titel",
        "keywords": ["one", "two"],
    },
}


@pytest.mark.parametrize("name", CASES)
def test_the_facts_of_a_file_are_those_that_people_see(name: str) -> None:
    assert seen((FOLDER / name).read_bytes()).facts == CASES[name]


def test_every_file_has_its_answer() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(CASES)
