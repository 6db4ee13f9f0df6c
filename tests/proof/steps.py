"""Every step of a small job: the process that takes it is killed there, or Redis is, and everything is counted."""

import json
import os
import random
import re
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tasks.recoveries import RECOVERIES
from tests.chaos.pictures import Album
from tests.chaos.rounds import Verdict, play
from tests.conftest import ROOT, redis_server
from tests.e2e.conftest import Home
from tests.proof.hooks.sitecustomize import WRITES

PROCESSES = ("producer", "supervisor", "gpu0", "storage")
MOMENTS = ("before", "after")
KILLED = ("itself", "redis", "redis and its last second")
NULL_MODEL = "null"
FILES = 5
HOOKS = Path(__file__).parent / "hooks"
MARK = "+++ killed by SIGKILL +++"


@dataclass(frozen=True)
class Step:
    """Step number `at` of `process`: a "command" to Redis, or a "write" (or sync) of a file, in place of which it dies.

    Of a command, `kills` dies "before" Redis has it, or "after", unanswered. Redis itself has writes alone.
    """

    process: str
    at: int
    kind: str = "command"
    moment: str = "before"
    kills: str = "itself"

    def __str__(self) -> str:
        return f"{self.process} {self.moment} {self.kind} {self.at}, kills {self.kills}"

    @property
    def series(self) -> str:
        """The row of the table that it belongs to: all steps that differ in their number alone."""
        return f"{self.process} {self.moment} a {self.kind}, kills {self.kills}"

    def fault(self, done: Path) -> dict[str, object]:
        """The step as the hook reads it."""
        fields = {"at": self.at, "kind": self.kind, "moment": self.moment, "kills": self.kills}
        return {**fields, "of": self.process, "done": str(done)}


@dataclass(frozen=True)
class Taken:
    """What became of a job that was hit at these steps; `hit` names what each of them was, where it was come to.

    `recoveries` are the ways to recover that were gone, as far as the log of its Redis tells.
    """

    steps: Sequence[Step]
    hit: list[str]
    verdict: Verdict
    recoveries: Counter[str] = field(default_factory=Counter)

    @property
    def all_hit(self) -> bool:
        """True when every step was come to."""
        return len(self.hit) == len(self.steps)


def take(steps: Sequence[Step], album: Album, scratch: Path) -> Taken:
    """Ingest the album in a home of its own and kill at these steps; the home is kept where something is wrong."""
    folder = scratch / "-then-".join(str(step).replace(" ", "-").replace(",", "") for step in steps)
    folder.mkdir(parents=True)
    notes = [folder / f"done-{number}" for number in range(len(steps))]
    home = Home(
        folder / "data",
        {
            "DARKROOM__MODELS__CLIP": NULL_MODEL,
            "DARKROOM__MODELS__CAPTIONS": "false",
            "PYTHONPATH": f"{HOOKS}:{ROOT}",
            "STEPS": json.dumps([step.fault(note) for step, note in zip(steps, notes, strict=True)]),
        },
    )
    for step, note in zip(steps, notes, strict=True):
        if step.process == "redis":
            home.settings["PATH"] = f"{_traced_redis(folder / 'bin', step, note)}:{os.environ['PATH']}"
    verdict = play(home, album, None, may_lose=any("last second" in step.kills for step in steps))
    hit = [_what_was_hit(step, note) for step, note in zip(steps, notes, strict=True)]
    counted = recoveries_in(home.data)
    if verdict.good:
        shutil.rmtree(folder)
    return Taken(steps, [what for what in hit if what], verdict, counted)


def every_step(
    album: Album, scratch: Path, processes: Sequence[str] = PROCESSES, stride: int = 1, most: int = 10_000
) -> Iterator[Taken]:
    """Steps 1, 1 + stride, ... of each process, kind, moment and victim, until the job ends without coming to one."""
    for first in all_series(processes):
        for at in count(1, stride):
            taken = take([Step(first.process, at, first.kind, first.moment, first.kills)], album, scratch)
            if not taken.all_hit or at > most:
                break
            yield taken


def all_series(processes: Sequence[str]) -> list[Step]:
    """The first step of each series."""
    writes = [Step(process, 1, "write") for process in processes if shutil.which("strace")]
    commands = [
        Step(process, 1, "command", moment, kills)
        for process in processes
        if process != "redis"
        for kills in KILLED
        for moment in MOMENTS
    ]
    return commands + writes


def pairs(album: Album, scratch: Path, number: int, seed: int, most: int = 40) -> Iterator[Taken]:
    """Two steps in one job, `number` times over, drawn from the steps of all series up to `most`.

    A second one that is not come to is no pair: it is drawn anew.
    """
    rng = random.Random(seed)
    series = all_series((*PROCESSES, "redis"))
    while number > 0:
        first, second = (
            Step(step.process, rng.randint(1, most), step.kind, step.moment, step.kills)
            for step in rng.sample(series, 2)
        )
        taken = take([first, second], album, scratch)
        if taken.all_hit or not taken.verdict.good:
            number -= 1
            yield taken


def recoveries_in(data: Path) -> Counter[str]:
    """What the append-only file of a stack's Redis says of `tasks/recoveries.py`."""
    counting = rb"%b\r\n\$\d+\r\n(\w+)\r\n\$\d+\r\n(\d+)\r\n" % re.escape(RECOVERIES.encode())
    found: Counter[str] = Counter()
    for file in data.glob("redis/**/*.aof"):
        for kind, times in re.findall(counting, file.read_bytes()):
            found[kind.decode()] += int(times)
    return found


def _what_was_hit(step: Step, note: Path) -> str:
    said = note.read_text(errors="replace") if note.exists() else ""
    if step.kind == "command":
        return said
    # The last call before the end is the one that never returned.
    calls = re.findall(r"^(?:\d+ +)?(\w+)\(", said, re.MULTILINE)
    return calls[-1] if MARK in said and calls else ""


def _traced_redis(folder: Path, step: Step, note: Path) -> Path:
    """A folder for PATH in whose redis-server the first life ends at a write; the later ones are Redis itself."""
    folder.mkdir()
    program = folder / "redis-server"
    strace = f"strace -D -f -qq -y -o {note} --trace={WRITES} --inject={WRITES}:signal=KILL:when={step.at}"
    program.write_text(f'#!/bin/sh\n[ -e {note} ] || exec {strace} {redis_server()} "$@"\nexec {redis_server()} "$@"\n')
    program.chmod(0o755)
    return folder
