"""Hundreds of bad inputs in one ingest: nothing dies, and each is stored or failed for a reason that is said."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pictures.decode import decode
from tests.e2e.bad_inputs import Corpus, write_corpus
from tests.e2e.conftest import Home
from tests.e2e.in_process import NULL
from tests.pictures.made.described import WRITTEN
from workers.inference.null import NullClip
from workers.storage.catalog import Point

pytestmark = pytest.mark.e2e

# What tells a programmer's words from a person's.
CODE = re.compile(
    r"Error\b|Exception|Traceback|\bNone\b|0x[0-9a-f]{4}|<class|object at|__|\bstruct\b|\bbuffer\b|Plugin|[A-Z]+_[A-Z]+"
    r"|\b(str|int|tuple|dict|NoneType)\b|decoder error|\n"
)


class Run:
    """One ingest of the corpus, with all that it left behind."""

    def __init__(self, corpus: Corpus, home: Home) -> None:
        self.corpus = corpus
        self.answer: dict[str, Any] = home.json("ingest", str(corpus.folder))
        self.gpu_log, self.stack_log = home.log("gpu0"), home.log("stack")
        rows = home.json("errors", self.answer["job"])["errors"]
        self.reasons = {row["uri"].rsplit("/", 1)[-1].replace("%20", " "): row["reason"] for row in rows}
        assert len(self.reasons) == len(rows)
        self.points: dict[str, Point] = {point.payload["name"]: point for point in home.points().values()}


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with tempfile.TemporaryDirectory(prefix="darkroom-corpus-") as folder:
        home = Home(Path(folder) / "data", dict(NULL))
        yield Run(write_corpus(Path(folder) / "pictures"), home)


def test_every_one_of_them_is_accounted_for_once(run: Run) -> None:
    assert len(run.corpus.names) >= 300
    assert set(run.points) | set(run.reasons) == run.corpus.names
    assert not set(run.points) & set(run.reasons)
    counts = {name: run.answer[name] for name in ("total", "stored", "failed", "skipped", "exit")}
    stored, failed = len(run.points), len(run.reasons)
    assert counts == {"total": stored + failed, "stored": stored, "failed": failed, "skipped": 0, "exit": 1}


def test_no_worker_died_of_them(run: Run) -> None:
    assert run.gpu_log.count("ready on") == 1
    assert "Traceback" not in run.gpu_log
    assert not re.search(r"died|restart|ended with|killed", run.stack_log), run.stack_log


def test_the_sound_pictures_among_them_have_their_own_vectors(run: Run) -> None:
    # The vector of the null model is the picture's own pixels, so no two of them are alike.
    clip = NullClip("null")
    for name in run.corpus.sound:
        picture = decode((run.corpus.folder / name).read_bytes(), 10**6, clip.model_input, None)
        assert float(clip.embed_pictures([picture.clip])[0] @ run.points[name].vector) > 0.999, name


def test_what_is_only_odd_is_stored(run: Run) -> None:
    assert run.corpus.stored - set(run.points) == set()


def test_what_a_picture_tells_of_itself_is_in_the_catalog(run: Run) -> None:
    payload = run.points["described.jpg"].payload
    assert {name: payload[name] for name in WRITTEN} == WRITTEN
    assert (payload["camera"], payload["format"]) == ("Canon EOS R5", "JPEG")
    assert payload["gps"] == pytest.approx({"lat": 52.52, "lon": 13.405}, abs=1e-9)
    assert run.points["camera.NEF"].payload["camera"] == "NIKON CORPORATION One"


def test_what_cannot_be_a_picture_fails_for_its_own_reason(run: Run) -> None:
    wrong = {
        name: run.reasons.get(name)
        for name, words in run.corpus.failed.items()
        if words not in run.reasons.get(name, "")
    }
    assert wrong == {}


def test_a_person_understands_every_reason(run: Run) -> None:
    assert [reason for reason in run.reasons.values() if CODE.search(reason)] == []
    assert [
        reason for reason in run.reasons.values() if not 10 < len(reason) < 160 or not reason[0].isprintable()
    ] == []


def test_directories_and_links_to_directories_are_no_files_whatever_their_names(run: Run) -> None:
    assert len(run.corpus.not_files) == 3
    assert not run.corpus.not_files & ({*run.points} | {*run.reasons})
