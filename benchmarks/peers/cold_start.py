"""cold_status_s, cold_search_s, warm_search_s, time_to_search_1000_s: how long a person waits who has just sat down.

Cold is a command with no stack running; the models, of real size with random weights, are in the disk's cache, as they
are on the second day. A command's time runs from its start to the last line of its answer; the detail says how long
after that the prompt is back. rclip indexes the same pictures from a cold start as well.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.bench_stack import ROOT, START_SECONDS, environment, kept_up, paths_of
from benchmarks.figures.bounds import Goal, at_most
from benchmarks.harness import Figure, measured
from benchmarks.material import MP_03, MP_2, make_new, pictures, random_blip_base, random_vit_b32
from benchmarks.peers.comparison import cold_rclip
from tasks.stack.locks import is_held, read_note

REPEATS = 5
# Captions by a model of real size take a second each.
FEW = 8
MANY = 1000
WORDS = ("search", "a red circle")
COLD_STATUS_GOAL, COLD_SEARCH_GOAL = at_most(0.8, floor=2), at_most(4, floor=10)
WARM_SEARCH_GOAL = at_most(0.4, floor=1)


class Waited(NamedTuple):
    """Seconds from the start of a command to the last line of its answer, and from there to the prompt."""

    answer: float
    prompt: float


def cold_status_s(scratch: Path, quick: bool) -> list[Figure]:
    """`status` with no stack running."""
    return [_cold("cold_status_s", ("status",), COLD_STATUS_GOAL, scratch, quick)]


def cold_search_s(scratch: Path, quick: bool) -> list[Figure]:
    """`search` by words with no stack running, on a collection that has captions too."""
    return [_cold("cold_search_s", WORDS, COLD_SEARCH_GOAL, scratch, quick)]


def warm_search_s(scratch: Path, quick: bool) -> list[Figure]:
    """`search` by words beside a stack that is kept up; the first one is not counted."""
    settings = _models(scratch, quick)
    folder = pictures(scratch / "pictures", FEW, MP_03)[0].parent
    with kept_up(scratch, **settings) as stack:
        stack.run("ingest", str(folder))
        waited = [_run(stack.env, *WORDS) for _ in range(1 + _repeats(quick))][1:]
    return [_figure("warm_search_s", waited, WARM_SEARCH_GOAL)]


def time_to_search_1000_s(scratch: Path, quick: bool) -> list[Figure]:
    """From the start of `ingest` with no stack running until 1,000 pictures of 2 MP can be found, and rclip's time."""
    paths = pictures(scratch / "pictures", 16 if quick else MANY, MP_2)
    folder = paths[0].parent
    env = environment(scratch, MODELS__CAPTIONS="false", MODELS__CLIP=str(random_vit_b32(scratch / "vit-b32-random")))
    index = cold_rclip(scratch)
    waited, theirs = [], []
    for _ in range(1 if quick else 2):
        theirs.append(index(folder))
        make_new(paths)
        _stop_stack(env)
        waited.append(_run(env, "ingest", str(folder)))
    _stop_stack(env)
    figure = _figure("time_to_search_1000_s", waited)
    figure.detail["pictures"] = len(paths)
    figure.detail["rclip_s"] = [round(seconds, 1) for seconds in theirs]
    return [figure]


def _cold(name: str, command: tuple[str, ...], goal: Goal, scratch: Path, quick: bool) -> Figure:
    env = environment(scratch, **_models(scratch, quick))
    folder = pictures(scratch / "pictures", FEW, MP_03)[0].parent
    _run(env, "ingest", str(folder))
    waited = []
    for _ in range(_repeats(quick)):
        _stop_stack(env)
        waited.append(_run(env, *command))
    _stop_stack(env)
    return _figure(name, waited, goal)


def _models(scratch: Path, quick: bool) -> dict[str, str]:
    """The settings of models of real size, for a smoke run of the small ones that ship."""
    clip, blip = (ROOT / "models" / f"shapes-{kind}" for kind in ("clip", "blip"))
    if not quick:
        clip, blip = random_vit_b32(scratch / "vit-b32-random"), random_blip_base(scratch / "blip-base-random")
    return {"MODELS__CLIP": str(clip), "MODELS__BLIP": str(blip)}


def _repeats(quick: bool) -> int:
    return 1 if quick else REPEATS


def _run(env: Mapping[str, str], *words: str) -> Waited:
    """Run a command of the producer; raises CalledProcessError when it fails."""
    command = [sys.executable, "-m", "producer", *words]
    begin = answer = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for _ in iter(process.stdout.readline, b""):
            answer = time.perf_counter()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Waited(answer - begin, time.perf_counter() - answer)


def _stop_stack(env: Mapping[str, str]) -> None:
    """End the stack that a command has left, if there is one; raises TimeoutError."""
    lock = paths_of(env).stack_lock
    deadline = time.monotonic() + START_SECONDS
    told = ""
    while is_held(lock):
        holder = read_note(lock)
        if holder and holder != told:
            told = holder
            os.kill(int(holder), signal.SIGTERM)
        if time.monotonic() > deadline:
            raise TimeoutError(f"the stack of process {holder} has not ended after {START_SECONDS:g} s")
        time.sleep(0.05)


def _figure(name: str, waited: list[Waited], goal: Goal | None = None) -> Figure:
    prompt = [round(each.prompt, 3) for each in waited]
    return measured(name, [each.answer for each in waited], "s", goal, detail={"prompt_s": prompt})
