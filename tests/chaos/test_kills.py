"""Kill anything, at any time: every file is stored once or listed, under its own name. `make chaos` is the long run."""

from pathlib import Path

import pytest

from tests.chaos.__main__ import NULL_MODEL, run_rounds
from tests.chaos.deadly import CRASHES_THE_MODELS, ingest_with_a_deadly_file
from tests.chaos.kill import Kill
from tests.chaos.pictures import Album, draw_album
from tests.chaos.rounds import play
from tests.e2e.conftest import Home
from tests.e2e.in_process import NULL

pytestmark = [pytest.mark.e2e, pytest.mark.chaos]

FILES = 60
SEED = 20


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Album:
    """Sixty scenes and what the null model makes of them; `make chaos` plays rounds with the shipped models as well."""
    return draw_album(tmp_path_factory.mktemp("chaos") / "pictures", FILES, model=NULL_MODEL)


def test_whatever_is_killed_every_file_is_stored_once_and_under_its_own_name(album: Album, tmp_path: Path) -> None:
    verdicts = run_rounds(3, album, SEED, tmp_path, ["gpu0", "storage", "redis"])
    assert [verdict.kill.victim for verdict in verdicts if verdict.kill and not verdict.good] == []
    assert {verdict.stored for verdict in verdicts} == {FILES}
    assert {verdict.runs for verdict in verdicts} == {1}


def test_when_the_producer_is_killed_the_next_ingest_finishes(album: Album, tmp_path: Path) -> None:
    # A fast machine has stored the rest before the kill comes. So it is tried again earlier, at last when Redis is
    # there and no model is yet: nothing can have ended then.
    for share in (0.5, 0.1, 0.0):
        verdict = play(Home(tmp_path / f"at-{share}", NULL), album, Kill("producer", share, 0.0))
        assert verdict.good
        assert verdict.stored == FILES
        if verdict.runs == 2:
            return
    raise AssertionError("the producer was never killed")


def test_a_file_that_kills_its_workers_fails_alone_within_the_attempts(album: Album, home: Home) -> None:
    home.settings.update({**NULL, "DARKROOM__INGEST__MAX_ATTEMPTS": "2"})
    # The one kind of three that is found out last; `make chaos` tries all, with the shipped models.
    deaths = ingest_with_a_deadly_file(home, album, CRASHES_THE_MODELS)
    assert deaths.others.good
    assert (deaths.others.stored, deaths.others.failures) == (FILES, {})
    assert deaths.reason == "its worker died while working on it, 2 times over"
    assert deaths.workers == 2
