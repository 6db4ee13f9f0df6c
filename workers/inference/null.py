"""The null model, `models.clip = "null"`: everything but the models, to measure what is around them.

Files are read, hashed and decoded as ever and every task, message and write is the ordinary one; only the forward pass
is missing. `null:10` sleeps instead, as a GPU would: ten milliseconds a picture, a batch at once. `null:10:512` makes
embeddings of 512 numbers. Nothing here needs torch.
"""

import hashlib
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import NullModel, checkpoint_name, null_model

EDGE = 4


class NullClip:
    """Takes the place of `Clip`; `model` is as `null_model` reads it."""

    def __init__(self, model: str) -> None:
        asked = null_model(model) or NullModel()
        self.name = checkpoint_name(model)
        self.dim = asked.dim
        self.model_input = ModelInput(
            width=EDGE,
            height=EDGE,
            edge=EDGE,
            crop=True,
            resample=int(Image.Resampling.BILINEAR),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
        self._seconds = asked.milliseconds / 1000

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """The pixels themselves, uint8 of (4, 4, 3) each, as float32 of (n, dim), each row of length one."""
        if self._seconds:
            time.sleep(self._seconds * len(pictures))
        return self._directions(np.stack(pictures).reshape(len(pictures), -1))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A direction that follows from the letters, float32 of (n, dim), each row of length one; it means nothing."""
        digests = [hashlib.sha384(text.encode("utf-8", "replace")).digest() for text in texts]
        return self._directions(np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(texts), -1))

    def _directions(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        # Half a step off the middle of the range, so that no row can be zero.
        centred = rows.astype(np.float32) - 127.5
        repeated = np.tile(centred, -(-self.dim // centred.shape[1]))[:, : self.dim]
        return repeated / np.linalg.norm(repeated, axis=1, keepdims=True)
