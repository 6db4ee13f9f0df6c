"""vs_sentence_transformers, vs_rclip: other programs that embed the same pictures.

Each is installed in a virtual environment of its own below benchmarks/scratch the first time. It runs in a process that
stays, its model warm, and gets the same pictures as ours, at 12 MP (what telephones take; the figure) and at 2 MP. Ours
stores in Qdrant what it computes, rclip in its SQLite file, sentence-transformers nothing. The weights have the same
size: rclip's model is a ViT-B/32 that sees 256 pixels, and it is fed a random one of that shape; ours sees 224, as
OpenAI's does.

Each is measured twice: as its documentation shows it, and at its best, with everything that its user could write around
it (the figures with `_best`; the runners in scripts/ say what that is).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import IO

from benchmarks.figures.bounds import Goal, at_least, require_count
from benchmarks.figures.machine import has_short_products, is_held_down
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import IMAGES, MP_2, MP_12, pictures, random_vit_b32
from benchmarks.peers.pipeline_side import ingesting
from settings.errors import ServiceMissing

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE.parent / "scratch" / "peers"
SENTENCE_TRANSFORMERS = (
    "sentence-transformers==6.2.0",
    "torch==2.13.0",
    "pillow==13.0.0",
    "onnx==1.23.2",
    "onnxscript==0.7.2",
)
RCLIP = ("rclip==3.3.0",)
# As its documentation shows a peer, and with all that its user could write around it.
DOCUMENTED, BEST = "documented", "best"
ONLY_TORCH = "ONNX Runtime cannot be held down: the peer has the whole CPU"


def vs_sentence_transformers(scratch: Path, quick: bool) -> list[Figure]:
    """Against `SentenceTransformer.encode` on CLIP, which opens the pictures itself."""
    python = peer_python("sentence-transformers", SENTENCE_TRANSFORMERS)
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    goals = {
        DOCUMENTED: {MP_12: at_least(2, floor=2)},
        BEST: {MP_12: at_least(1.5, floor=0.8), MP_2: at_least(1.5, floor=0.8)},
    }
    name, script = "vs_sentence_transformers", "sentence_transformers_runner.py"
    return _figures(name, scratch, checkpoint, partial(_peer, python, script, checkpoint), goals, quick)


def vs_rclip(scratch: Path, quick: bool) -> list[Figure]:
    """Against rclip's indexing."""
    python, data = _rclip(scratch)
    # What the model costs decides at 2 MP, and short products make ours cheap: rclip takes none.
    goal = at_least(3, floor=1.4) if has_short_products() else at_least(2, floor=1.2)
    goals = {DOCUMENTED: {MP_12: at_least(2, floor=1.8), MP_2: goal}, BEST: {}}
    checkpoint, script = random_vit_b32(scratch / "vit-b32-random"), "rclip_runner.py"
    note = ONLY_TORCH if is_held_down() else ""
    return _figures("vs_rclip", scratch, checkpoint, partial(_peer, python, script, data), goals, quick, note)


def cold_rclip(scratch: Path) -> Callable[[Path], float]:
    """What has rclip index a folder in a process of its own; it returns the seconds from the start of that process."""
    python, data = _rclip(scratch)

    def index(folder: Path) -> float:
        begin = time.perf_counter()
        with _peer(python, "rclip_runner.py", data, DOCUMENTED) as embed:
            embed.run(folder)
            return time.perf_counter() - begin

    return index


def _rclip(scratch: Path) -> tuple[Path, Path]:
    """The interpreter of rclip's environment, and the folder with its model."""
    exporter, python = peer_python("sentence-transformers", SENTENCE_TRANSFORMERS), peer_python("rclip", RCLIP)
    data = scratch / "rclip"
    _run([exporter, HERE / "scripts" / "rclip_export.py", data], "rclip's model could not be exported")
    return python, data


class Peer:
    """A peer in a process that stays, with its model warm."""

    def __init__(self, process: "subprocess.Popen[str]", name: str, errors: IO[str]) -> None:
        self._process = process
        self._name = name
        self._errors = errors
        self.precision = ""

    def run(self, folder: Path) -> float:
        """Pictures per second; raises WrongCount unless the peer has all of them, ServiceMissing where it ended."""
        asked, answered = self._process.stdin, self._process.stdout
        assert asked is not None
        assert answered is not None
        with suppress(BrokenPipeError):  # it has ended, and the next line says so
            asked.write(f"{folder}\n")
            asked.flush()
        answer = answered.readline()
        if not answer:
            self._process.wait(60)
            self._errors.seek(0)
            raise ServiceMissing(f"{self._name} ended: {_last_line(self._errors.read(), self._process.returncode)}")
        told = json.loads(answer)
        self.precision = told["precision"]
        count = len(list(folder.iterdir()))
        require_count(told["pictures"], count, f"pictures were embedded by {self._name}")
        return float(count / told["seconds"])


Start = Callable[[str], AbstractContextManager[Peer]]


def _figures(
    name: str,
    scratch: Path,
    checkpoint: Path,
    start: Start,
    goals: Mapping[str, Mapping[tuple[int, int], Goal]],
    quick: bool,
    note: str = "",
) -> list[Figure]:
    """Both settings at both sizes; at 12 MP alone where the pictures are somebody's own."""
    figures = []
    for size, count, ending in ((MP_12, 64, ""), (MP_2, 96, "_2mp")):
        if ending and os.environ.get(IMAGES):
            continue
        paths = pictures(scratch / f"{name}{ending}", 16 if quick else count, size)
        settings = {"MODELS__CLIP": str(checkpoint), "MODELS__CAPTIONS": "false"}
        with ingesting(scratch / f"stack{ending}", paths, **settings) as ours:
            for how, called in ((DOCUMENTED, f"{name}{ending}"), (BEST, f"{name}_best{ending}")):
                with start(how) as peer:
                    theirs = partial(_rate, peer, paths[0].parent)
                    theirs(0)
                    figures.append(
                        compare(
                            called, ours, theirs, "images/s", 1 if quick else REPEATS, goals[how].get(size),
                            f"{ours.precision} / {peer.precision}", note,
                        )
                    )  # fmt: skip
    return figures


def _rate(peer: Peer, folder: Path, turn: int) -> float:
    return peer.run(folder)


@contextmanager
def _peer(python: Path, script: str, argument: Path, how: str) -> Iterator[Peer]:
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [python, HERE / "scripts" / script, argument, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        try:
            yield Peer(process, script, errors)
        finally:
            assert process.stdin is not None
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.wait(60)


def peer_python(name: str, requirements: tuple[str, ...]) -> Path:
    """The interpreter of a peer's environment, made when it is not there; ServiceMissing when it cannot be."""
    folder = ENVIRONMENTS / name
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    done = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if not done.exists() or done.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        _run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements],
            f"{requirements[0]} could not be installed (is the package index reachable?)",
        )
        done.write_text(wanted)
    return python


def _run(command: list[str | Path], complaint: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceMissing(f"{complaint}: {_last_line(done.stderr or done.stdout, done.returncode)}")


def _last_line(text: str, code: int) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else f"exit code {code}"
