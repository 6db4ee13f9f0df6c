"""Rounds of killing, as a table and one last line of JSON: `python -m tests.chaos --rounds 20`."""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from settings import load_settings
from tests.chaos.deadly import KINDS, ingest_with_a_deadly_file
from tests.chaos.kill import VICTIMS, Kill, draw_kill
from tests.chaos.pictures import Album, draw_album
from tests.chaos.rounds import Verdict, play
from tests.conftest import SCRATCH
from tests.e2e.conftest import Home
from tests.workers.storage.embedded.kill_writers import kill_writers

# Models take most of a round's time and change nothing about who holds which message: one round in five has them, and
# captions; the others have a null model, whose embedding of a picture is its pixels.
ROUNDS_PER_MODELS = 5
NULL_MODEL = "null"
HEAD = ("round", "killed", "when", "seconds", "runs", "stored", "failed", "lost", "doubled", "misfiled", "ledger")
ROW = "{:>5}  {:<10}  {:<13}  {:>7}  {:>4}  {:>6}  {:>6}  {:>4}  {:>7}  {:>8}  {}"


def kills(seed: int, victims: Sequence[str]) -> Iterator[Kill]:
    """An endless draw in which every victim comes as often as every other."""
    rng = random.Random(seed)
    while True:
        for victim in rng.sample(victims, len(victims)):
            yield draw_kill(rng, victim)


def run_rounds(rounds: int, album: Album, seed: int, scratch: Path, victims: Sequence[str]) -> list[Verdict]:
    """Play the rounds, each in a fresh home, and print a row for each as it ends."""
    print(f"seed {seed}, {len(album.vectors)} files a round", flush=True)
    print(ROW.format(*HEAD), flush=True)
    verdicts = []
    without_models = album.seen_by(NULL_MODEL)
    for number, kill in zip(range(rounds), kills(seed, victims)):
        models = number % ROUNDS_PER_MODELS == ROUNDS_PER_MODELS - 1
        seen = album if models else without_models
        settings = {"DARKROOM__MODELS__CLIP": seen.model, "DARKROOM__MODELS__CAPTIONS": str(models).lower()}
        home = Home(scratch / f"round-{number}", settings)
        verdict = play(home, seen, kill)
        verdicts.append(verdict)
        counts = (verdict.stored, *map(len, (verdict.failures, verdict.lost, verdict.doubled, verdict.misfiled)))
        who = kill.victim if verdict.killed else f"({kill.victim})"
        truth = "; ".join(verdict.wrong) or "right"
        print(ROW.format(number, who, str(kill), f"{verdict.seconds:.1f}", verdict.runs, *counts, truth), flush=True)
        if verdict.good:
            shutil.rmtree(home.data)
        else:
            print("\n".join([f"kept: {home.data}", *verdict.said]), flush=True)
    return verdicts


def run_deadly(album: Album, scratch: Path) -> bool:
    """Ingest the album with one deadly file of each kind in it; True when that file failed alone."""
    attempts = load_settings().ingest.max_attempts
    good = True
    for number, kind in enumerate(KINDS):
        home = Home(scratch / f"deadly-{number}", {"DARKROOM__MODELS__CAPTIONS": "false"})
        deaths = ingest_with_a_deadly_file(home, album, kind)
        others = deaths.others
        print(f"a file that {kind}: {others.stored} others stored, {len(others.failures)} failed, ", end="")
        print(f"{deaths.workers} workers died, {others.seconds:.0f} s; its reason: {deaths.reason}", flush=True)
        alone = others.good and others.stored == len(album.vectors) and not others.failures
        if not (alone and deaths.reason and deaths.workers <= attempts):
            good = False
            print("\n".join([f"kept: {home.data}", *others.wrong, *others.said]), flush=True)
    return good


def run_writers(kills: int, seed: int, scratch: Path) -> bool:
    """Kill processes that write into the embedded catalog; True when every acknowledged point is there afterwards."""
    tally = kill_writers(scratch / "catalog", kills, random.Random(seed))
    print(f"{kills} writers killed: {tally.found} of {tally.acknowledged} acknowledged points are there", flush=True)
    if tally.wrong:
        print("\n".join([f"kept: {scratch / 'catalog'}", *tally.wrong[:20]]), flush=True)
    return not tally.wrong


def main() -> int:
    """Exit code 0 when every round was good, every deadly file failed alone and no acknowledged point was lost."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--writers", type=int, default=20, help="how many writers of the embedded catalog are killed")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--victims", nargs="+", choices=VICTIMS, default=VICTIMS)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="darkroom-chaos-"))
    try:
        album = draw_album(scratch / "pictures", options.files)
        verdicts = run_rounds(options.rounds, album, options.seed, scratch, options.victims)
        deadly = run_deadly(album, scratch)
        written = run_writers(options.writers, options.seed, scratch)
        good = deadly and written and all(verdict.good for verdict in verdicts)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    if good:
        shutil.rmtree(scratch)
    sums = {name: sum(len(getattr(verdict, name)) for verdict in verdicts) for name in ("lost", "doubled", "misfiled")}
    print(json.dumps({"rounds": len(verdicts), **sums}))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
