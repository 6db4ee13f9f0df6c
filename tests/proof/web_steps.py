"""Every step of the web server: killed at its n-th command to Redis while a folder is ingested over its interface."""

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from tests.chaos.pictures import Album
from tests.chaos.rounds import LIMIT, Verdict, all_points, judge_catalog, local_of, wait_until_down
from tests.conftest import ROOT
from tests.e2e.conftest import Home, free_port
from tests.proof.steps import HOOKS, MOMENTS, NULL_MODEL, Step, Taken, recoveries_in

ENVIRONMENT = {"DARKROOM__MODELS__CLIP": NULL_MODEL, "DARKROOM__MODELS__CAPTIONS": "false"}


def take_web(step: Step, album: Album, scratch: Path) -> Taken:
    """Ask a server to ingest the album; where it dies, start another one and ask that."""
    folder = scratch / str(step).replace(" ", "-").replace(",", "")
    folder.mkdir(parents=True)
    note, begin = folder / "done", time.monotonic()
    steps = json.dumps([step.fault(note)])
    home = Home(folder / "data", {**ENVIRONMENT, "PYTHONPATH": f"{HOOKS}:{ROOT}", "STEPS": steps})
    verdict = Verdict(None)
    with _Site(home) as site:
        ended: dict[str, Any] = {}
        while ended.get("state") != "done" and time.monotonic() - begin < LIMIT:
            asked = site.ask(lambda http: http.post("/api/v1/ingest_directory", json={"directory": str(album.folder)}))
            ended = site.follow(asked["job"]) if asked else {}
    told = sum(ended.get(outcome, 0) for outcome in ("stored", "skipped"))
    if told != len(album.vectors):
        verdict.wrong.append(f"the interface tells of {told} files: {ended}")
    wait_until_down(local_of(home), verdict)
    judge_catalog(all_points(home.data / "catalog"), album, verdict)
    verdict.seconds = time.monotonic() - begin
    hit = note.read_text(errors="replace") if note.exists() else ""
    counted = recoveries_in(home.data)
    if verdict.good:
        shutil.rmtree(folder)
    return Taken([step], [hit] if hit else [], verdict, counted)


def every_web_step(album: Album, scratch: Path, stride: int, most: int) -> Iterator[Taken]:
    """Steps 1, 1 + stride, ... of each moment, until the server has none more."""
    for moment in MOMENTS:
        for at in count(1, stride):
            taken = take_web(Step("web", at, moment=moment), album, scratch)
            if not taken.all_hit or at > most:
                break
            yield taken


class _Site:
    """A server that is started again whenever it has died."""

    def __init__(self, home: Home) -> None:
        self._home, self._port = home, free_port()
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "_Site":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.communicate(timeout=60)

    def ask(self, question: Callable[[httpx.Client], httpx.Response]) -> dict[str, Any]:
        """The answer as an object; empty where the server dies of the question or does not know."""
        if self._process is None or self._process.poll() is not None:
            self._process = self._home.start("--port", str(self._port), module="web")
        with httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=60) as http:
            while self._process.poll() is None:
                try:
                    answer = question(http)
                except httpx.HTTPError:
                    time.sleep(0.1)  # it starts, or has just died
                    continue
                found: dict[str, Any] = answer.json() if answer.is_success else {}
                return found
        return {}

    def follow(self, job: str) -> dict[str, Any]:
        """How a job ended; empty where it is lost."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            found = self.ask(lambda http: http.get(f"/api/v1/jobs/{job}"))
            if found.get("state") != "running":
                return found
            time.sleep(0.2)
        return {}
