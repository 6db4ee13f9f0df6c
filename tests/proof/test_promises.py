"""Every promise of docs/reliability.md names a test that there is, and the tally of a proof tells what it found."""

import json
import re
from pathlib import Path

import pytest

from tasks.recoveries import KINDS, RECOVERIES
from tests.chaos.rounds import Verdict
from tests.conftest import ROOT
from tests.proof.samples import Samples
from tests.proof.steps import Step, Taken, recoveries_in
from tests.proof.tally import Tally

PROMISES = re.findall(
    r"^\| .* \| `(tests/.*)::(\w+)` \|$", (ROOT / "docs" / "reliability.md").read_text(), re.MULTILINE
)


@pytest.mark.parametrize(("file", "name"), PROMISES, ids=[name for _, name in PROMISES])
def test_a_promise_is_held_by_a_test_that_there_is(file: str, name: str) -> None:
    assert f"def {name}(" in (ROOT / file).read_text()


def test_there_are_promises() -> None:
    assert len(PROMISES) >= 15


def test_a_tally_counts_what_healed_and_names_what_did_not_and_what_never_happened() -> None:
    tally, step = Tally(), Step("gpu0", 3)
    lost = Verdict(None, lost=["file:///a.png"], said=["error: gone"])
    tally.take("", [Taken([step], ["PING"], Verdict(None)), Taken([step], ["HSET"], lost)])
    tally.recoveries["isolated"] += 1
    assert "| gpu0 before a command, kills itself | 2 | 1 |" in tally.table()
    assert tally.wrong == ["gpu0 before command 3, kills itself (HSET): error: gone"]
    told = json.loads(tally.line(never=True))
    assert (told["steps"], told["lost"], told["doubled"]) == (2, 1, 0)
    assert told["sometimes_never"] == [kind for kind in KINDS if kind != "isolated"]


def test_the_parts_of_a_proof_add_what_they_find_to_one_file(tmp_path: Path) -> None:
    step, file = Step("gpu0", 3), tmp_path / "tally.json"
    first, second = Tally(parts=["steps"], seconds=1.0), Tally(parts=["pairs"], seconds=2.0)
    first.take("", [Taken([step], ["PING"], Verdict(None)), Taken([step], ["HSET"], Verdict(None, lost=["file:///a"]))])
    first.recoveries["isolated"] += 1
    second.take("", [Taken([step], ["PING"], Verdict(None))])
    first.keep(file)
    second.keep(file)
    assert "| gpu0 before a command, kills itself | 3 | 2 |" in second.table()
    assert (sorted(second.parts), second.wrong, second.recoveries) == (
        ["pairs", "steps"],
        first.wrong,
        first.recoveries,
    )
    told = json.loads(second.line(never=True))
    assert (told["steps"], told["lost"], told["seconds"]) == (3, 1, 3)


def test_what_a_redis_has_counted_is_read_from_its_log(tmp_path: Path) -> None:
    log = tmp_path / "redis" / "appendonly.aof"
    log.parent.mkdir()
    key = RECOVERIES
    log.write_text(f"*4\r\n$7\r\nHINCRBY\r\n${len(key)}\r\n{key}\r\n$8\r\nisolated\r\n$1\r\n2\r\n" * 2)
    assert recoveries_in(tmp_path) == {"isolated": 4}


def test_a_soak_in_which_something_grows_is_not_good() -> None:
    flat = [(share / 10, {"web memory": 1e8, "redis keys": 100.0}) for share in range(11)]
    growing = [(share, {**each, "web memory": 1e8 * (1 + share)}) for share, each in flat]
    assert Samples(flat).grown() == []
    assert Samples(growing).grown() == ["web memory grew from 130,000,000 to 200,000,000"]
