"""The pictures of the chaos rounds, and what the catalog must hold for each of them."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.scenes import draw, fresh_scenes
from pictures.decode import decode
from tasks.checkpoint import null_model
from tests.conftest import ROOT
from workers.inference.embedders.embedder import Embedder
from workers.inference.null import NullClip
from workers.storage.catalog import Point

ALIKE = 0.999
SHAPES = str(ROOT / "models" / "shapes-clip")


@dataclass(frozen=True)
class Album:
    """Drawn files by URI: the sha256 of each, and its embedding made here, alone, away from all queues and batches.

    `model` is what made the embeddings: the folder of a checkpoint, or a null model.
    """

    folder: Path
    sha256: dict[str, str]
    vectors: dict[str, NDArray[np.float32]]
    model: str

    def moved(self, folder: Path) -> "Album":
        """The same pictures in another folder."""

        def there(uri: str) -> str:
            return (folder / uri.rsplit("/", 1)[-1]).as_uri()

        sha256 = {there(uri): digest for uri, digest in self.sha256.items()}
        return Album(folder, sha256, {there(uri): vector for uri, vector in self.vectors.items()}, self.model)

    def seen_by(self, model: str) -> "Album":
        """The same files with the embeddings of another model."""
        return _embedded(self.folder, self.sha256, model)

    def misfiled(self, points: Sequence[Point]) -> list[str]:
        """URIs whose point holds another content, or a vector that is not that file's own."""
        uris = list(self.vectors)
        expected = np.stack([self.vectors[uri] for uri in uris])
        wrong = []
        for point in points:
            uri = point.payload["uri"]
            likeness = expected @ point.vector
            own = likeness[uris.index(uri)] if uri in self.vectors else -1.0
            if point.payload["sha256"] != self.sha256.get(uri) or own < ALIKE or own < likeness.max() - 1e-5:
                wrong.append(uri)
        return wrong


def draw_album(folder: Path, count: int, seed: int = 11, model: str = SHAPES) -> Album:
    """Draw `count` scenes of 64 to 96 pixels into `folder`, and embed them with a checkpoint or a null model."""
    folder.mkdir(parents=True)
    rng = random.Random(seed)
    sha256 = {}
    for number, scene in enumerate(fresh_scenes(seed, count)):
        path = folder / f"{number:04}.png"
        draw(scene, rng, rng.randint(64, 96)).save(path)
        sha256[path.as_uri()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return _embedded(folder, sha256, model)


def _embedded(folder: Path, sha256: dict[str, str], model: str) -> Album:
    clip = NullClip(model) if null_model(model) else Embedder(model, torch.device("cpu"), "float32", 8)
    vectors = {}
    for uri in sha256:
        data = (folder / uri.rsplit("/", 1)[-1]).read_bytes()
        vectors[uri] = clip.embed_pictures([decode(data, 10**6, clip.model_input, None).clip])[0]
    return Album(folder, sha256, vectors, model)
