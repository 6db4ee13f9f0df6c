"""Pictures for a cluster whose workers run the null model, and what became of them."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from pictures.decode import decode
from tests.chaos.pictures import Album
from workers.inference.null import NullClip
from workers.storage.catalog import Point


@dataclass(frozen=True)
class Verdict:
    """Of `files` files: how many are stored, listed as failed, in no catalog, in more than one or with an error as
    well, and under another file's name. `also` holds what else a scene counts; each of its entries must be 0.
    """

    files: int
    stored: int
    failed: int
    lost: int
    doubled: int
    misfiled: int
    also: Mapping[str, int] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        """True when every file is stored once, as itself, and nothing else went wrong."""
        wrong = (self.failed, self.lost, self.doubled, self.misfiled, *self.also.values())
        return self.stored == self.files and not any(wrong)


def noise_album(folder: Path, count: int) -> Album:
    """Draw `count` small pictures with different contents into `folder`, and embed each alone."""
    folder.mkdir(parents=True)
    draws = random.Random(folder.name)
    clip = NullClip("null")
    sha256, vectors = {}, {}
    for number in range(count):
        path = folder / f"{number:04}.png"
        Image.frombytes("RGB", (8, 8), draws.randbytes(192)).save(path)
        data = path.read_bytes()
        sha256[path.as_uri()] = hashlib.sha256(data).hexdigest()
        vectors[path.as_uri()] = clip.embed_pictures([decode(data, 10**6, clip.model_input, None).clip])[0]
    return Album(folder, sha256, vectors, "null")


def judge(album: Album, points: Sequence[Point], failed: int = 0, also: Mapping[str, int] | None = None) -> Verdict:
    """Compare what all catalogs of a cluster hold with the pictures."""
    uris = [point.payload["uri"] for point in points]
    stored = set(uris) & set(album.vectors)
    return Verdict(
        files=len(album.vectors),
        stored=len(stored),
        failed=failed,
        lost=len(set(album.vectors) - stored) - failed,
        doubled=len(uris) - len(set(uris)),
        misfiled=len(album.misfiled(points)) if points else 0,
        also=also or {},
    )
