"""A file under way through a GPU worker: what is known of its content, what is still awaited, what is ready."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.messages import FileItem
from workers.gpu.picture import Content, Picture


@dataclass
class Known:
    """What the collection already holds for some content: its embedding, and its payload with the caption."""

    vector: NDArray[np.float32]
    payload: dict[str, Any]


@dataclass(eq=False)
class Work:
    """One file under way."""

    item: FileItem
    content: Content
    known: Future[Known | None]
    picture: Picture | None = None
    vector: Future[NDArray[np.float32]] | None = None
    caption: Future[str] | None = None
    handed: Future[None] | None = None


@dataclass
class Finished:
    """One file that is ready to be stored."""

    job: str
    number: int
    vector: NDArray[np.float32]
    payload: dict[str, Any]
    embedded: bool
    captioned: bool

    @property
    def reused(self) -> bool:
        """True when no model saw the file."""
        return not (self.embedded or self.captioned)
