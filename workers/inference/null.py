"""The null model, `models.clip = "null"`: it computes nothing, so that everything around the models can be measured.

Files are read, hashed and decoded as usual, and every task, message and write is the usual one; only the forward pass
is missing. `null:10` sleeps instead, like a slow GPU: ten milliseconds a picture, for a whole batch at once.
`null:10:512` makes embeddings of 512 numbers. Nothing here needs torch.
"""

import hashlib
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput
from tasks.checkpoint import PREPROCESSING, NullModel, checkpoint_name, null_model

EDGE = 4


class NullClip:
    """Replaces `Embedder`; `model` has the form that `null_model` parses."""

    def __init__(self, model: str) -> None:
        parameters = null_model(model) or NullModel()
        self.name = checkpoint_name(model)
        self.dim = parameters.dim
        self.precision = "float32"
        self.parts = 1
        self.preprocessing = PREPROCESSING
        self.model_input = ModelInput(
            width=EDGE,
            height=EDGE,
            edge=EDGE,
            resample=int(Image.Resampling.BILINEAR),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
        self._seconds = parameters.milliseconds / 1000

    def load_pictures(self) -> None:
        """There is nothing to load."""

    load_texts = load_pictures

    def embed_pictures(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """The pixels themselves, uint8 of (4, 4, 3) each, as float32 (n, dim), each row of length one."""
        if self._seconds:
            time.sleep(self._seconds * len(pictures))
        return self._unit_vectors(np.stack(pictures).reshape(len(pictures), -1))

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A hash of each text as float32 (n, dim), each row of length one; it has no meaning."""
        digests = [hashlib.sha384(text.encode("utf-8", "replace")).digest() for text in texts]
        return self._unit_vectors(np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(texts), -1))

    def is_cut(self, text: str) -> bool:
        """False: it looks at every byte."""
        return False

    def _unit_vectors(self, rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        # 127.5 is no byte, so no row becomes zero.
        centred = rows.astype(np.float32) - 127.5
        repeated = np.tile(centred, -(-self.dim // centred.shape[1]))[:, : self.dim]
        return repeated / np.linalg.norm(repeated, axis=1, keepdims=True)
