"""vs_sentence_transformers, vs_rclip: other programs that embed the same pictures.

Each is installed in a virtual environment of its own below benchmarks/scratch the first time. It runs in a process that
stays, its model warm, and gets the same pictures as ours, at 12 MP (what telephones take; the figure) and at 2 MP. Ours
stores in Qdrant what it computes, rclip in its SQLite file, sentence-transformers nothing. The weights have the same
size: rclip's model is a ViT-B/32 that sees 256 pixels, and it is fed a random one of that shape; ours sees 224, as
OpenAI's does.
"""

import json
import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import IMAGES, MP_2, MP_12, pictures, random_vit_b32
from benchmarks.peers.pipeline_side import ingesting
from settings.errors import ServiceMissing

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = HERE / "scratch" / "peers"
SENTENCE_TRANSFORMERS = (
    "sentence-transformers==6.2.0",
    "torch==2.13.0",
    "pillow==13.0.0",
    "onnx==1.23.2",
    "onnxscript==0.7.2",
)
RCLIP = ("rclip==3.3.0",)
GOAL = 2


def vs_sentence_transformers(scratch: Path, quick: bool) -> list[Figure]:
    """Against `SentenceTransformer.encode` on CLIP, which opens the pictures itself."""
    python = _python("sentence-transformers", SENTENCE_TRANSFORMERS)
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    with _peer(python, "sentence_transformers_runner.py", checkpoint) as encode:
        return _figures("vs_sentence_transformers", scratch, checkpoint, encode, quick)


def vs_rclip(scratch: Path, quick: bool) -> list[Figure]:
    """Against rclip's indexing."""
    exporter, python = _python("sentence-transformers", SENTENCE_TRANSFORMERS), _python("rclip", RCLIP)
    checkpoint = random_vit_b32(scratch / "vit-b32-random")
    data = scratch / "rclip"
    _run([exporter, HERE / "peer_scripts" / "rclip_export.py", data], "rclip's model could not be exported")
    with _peer(python, "rclip_runner.py", data) as index:
        return _figures("vs_rclip", scratch, checkpoint, index, quick)


def _figures(name: str, scratch: Path, checkpoint: Path, peer: Callable[[Path], float], quick: bool) -> list[Figure]:
    sizes = {name: (MP_12, 64), f"{name}_2mp": (MP_2, 96)}
    if os.environ.get(IMAGES):
        sizes.pop(f"{name}_2mp")
    figures = []
    for figure, (size, count) in sizes.items():
        paths = pictures(scratch / figure, 16 if quick else count, size)
        folder = paths[0].parent

        def theirs(turn: int, folder: Path = folder, count: int = len(paths)) -> float:
            return count / peer(folder)

        theirs(0)
        with ingesting(
            scratch / f"{figure}-stack", paths, MODELS__CLIP=str(checkpoint), MODELS__CAPTIONS="false"
        ) as ours:
            goal = GOAL if figure == name else None
            figures.append(compare(figure, ours, theirs, "images/s", 1 if quick else REPEATS, goal))
    return figures


@contextmanager
def _peer(python: Path, script: str, argument: Path) -> Iterator[Callable[[Path], float]]:
    """Gives what has a peer embed a folder, and returns the seconds that it says it took."""
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            [python, HERE / "peer_scripts" / script, argument],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        asked, answered = process.stdin, process.stdout

        def embed(folder: Path) -> float:
            with suppress(BrokenPipeError):  # it has ended, and the next line says so
                asked.write(f"{folder}\n")
                asked.flush()
            answer = answered.readline()
            if not answer:
                process.wait(60)
                errors.seek(0)
                raise ServiceMissing(f"{script} ended: {_last_line(errors.read(), process.returncode)}")
            return float(json.loads(answer)["seconds"])

        try:
            yield embed
        finally:
            with suppress(BrokenPipeError):
                asked.close()
            process.wait(60)


def _python(name: str, requirements: tuple[str, ...]) -> Path:
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
