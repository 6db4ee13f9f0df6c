"""A file that takes down every process that works on it, and an ingest with one of them in the folder."""

import io
import shutil
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.chaos.magic import ABORTS, CRASHES_MODELS, EATS
from tests.chaos.pictures import Album
from tests.chaos.rounds import Verdict, play
from tests.conftest import ROOT
from tests.e2e.conftest import Home

HOOKS = Path(__file__).parent / "hooks"
NAME = "0010-deadly.png"


def _picture() -> bytes:
    """A sound picture, of the one colour that crashes the models."""
    file = io.BytesIO()
    Image.new("RGB", (64, 64), CRASHES_MODELS).save(file, "PNG")
    return file.getvalue()


CRASHES_THE_MODELS = "crashes the models"
KINDS = {"aborts": ABORTS + bytes(100), "eats memory": EATS + bytes(100), CRASHES_THE_MODELS: _picture()}


@dataclass
class Deaths:
    """What became of the other files, why the deadly one failed (None: it is not listed), and how many workers died."""

    others: Verdict
    reason: str | None
    workers: int


def ingest_with_a_deadly_file(home: Home, album: Album, kind: str) -> Deaths:
    """Put one deadly file of a kind among the pictures of the album and ingest the folder into a fresh home."""
    folder = home.data.with_name(f"{home.data.name}-pictures")
    shutil.copytree(album.folder, folder, copy_function=shutil.copy2)
    deadly = folder / NAME
    deadly.write_bytes(KINDS[kind])
    # The hook reaches the workers by the way in which Python finds modules, so nothing in them knows of it.
    home.settings["PYTHONPATH"] = f"{HOOKS}:{ROOT}"
    verdict = play(home, album.moved(folder), None)
    reason = verdict.failures.pop(deadly.as_uri(), None)
    return Deaths(verdict, reason, home.log("stack").count("gpu0 was killed by"))
