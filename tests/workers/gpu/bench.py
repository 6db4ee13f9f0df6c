"""A pipeline on the test bench: the shipped models, a real ledger, and a list in place of the storage queue."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import redis
from numpy.typing import NDArray

from settings import load_settings
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage, Target
from workers.gpu.delivery import KnownContent
from workers.gpu.pipeline import Pipeline
from workers.inference.captioners.captioner import Captioner
from workers.inference.device_decode.lazy_decoder import LazyDecoder
from workers.inference.embedders.embedder import Embedder
from workers.inference.text_reader import TextReader

BATCH = 8
TARGET = Target("pictures", "clip", "blip")
LookUp = Callable[[list[str]], Sequence[KnownContent | None]]


class Bench:
    """A pipeline with its ledger, and what it has published."""

    def __init__(
        self,
        clip: Embedder,
        blip: Captioner | None,
        client: redis.Redis,
        look_up: LookUp,
        reader: TextReader | None = None,
        on_device: LazyDecoder | None = None,
    ) -> None:
        settings = load_settings()
        gpu = settings.gpu.model_copy(update={"batch_clip": BATCH, "batch_blip": BATCH})
        self.settings = settings.model_copy(update={"gpu": gpu})
        self.messages: list[PointsMessage] = []
        self.ledger = Ledger(client, "job")
        publish = self.messages.append
        self.pipeline = Pipeline(self.settings, clip, blip, look_up, publish, reader=reader, on_device=on_device)

    def process(self, files: list[FileItem], redelivered: bool = False) -> None:
        """Bring the files of one message through."""
        self.pipeline.process(FilesMessage(TARGET, "job", "file:///root", files), self.ledger, redelivered)

    def process_each(self, files: list[FileItem], threads: int = 3 * BATCH) -> None:
        """Bring every file through as a message of its own, many at once, as the worker's threads do."""
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda item: self.process([item]), files))

    @property
    def rows(self) -> dict[int, tuple[NDArray[np.float32], dict[str, Any], bool]]:
        """number -> vector, payload, reused; none may have been published twice."""
        found: dict[int, tuple[NDArray[np.float32], dict[str, Any], bool]] = {}
        for message in self.messages:
            # The way over the broker and back.
            message = PointsMessage.from_wire(msgpack.unpackb(msgpack.packb(message.to_wire())))
            vectors = np.frombuffer(message.vectors, dtype="<f4").reshape(-1, message.dim)
            for number, vector, payload, reused in zip(
                message.numbers, vectors, message.payloads, message.reused, strict=True
            ):
                assert number not in found
                found[number] = (vector, payload, reused)
        return found

    @property
    def failures(self) -> dict[int, str]:
        """number -> the reason on the job's error list."""
        return {failure.number: failure.reason for failure in self.ledger.failures()}


OpenBench = Callable[..., Bench]


def files_of(folder: Path, count: int) -> list[FileItem]:
    """The first pictures of a folder, numbered from 100: a window in the middle of a job."""
    return [FileItem(100 + number, path.as_uri()) for number, path in enumerate(sorted(folder.iterdir())[:count])]
