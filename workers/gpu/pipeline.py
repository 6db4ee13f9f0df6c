"""The way of a file through a GPU worker: read, look up, decode, embed and caption, hand over."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray
from redis.exceptions import RedisError

from settings import Settings
from tasks.checkpoint import PREPROCESSING
from tasks.ledger import Failure, Ledger
from tasks.messages import SCHEMA, FileItem, FilesMessage, PointsMessage
from workers.gpu.blip import Blip
from workers.gpu.clip import Clip
from workers.gpu.hardware import batch_sizes, is_out_of_memory, loaders
from workers.gpu.load import decode, read
from workers.gpu.picture import LoadError, Pixels
from workers.gpu.watchdog import Watchdog
from workers.gpu.work import Finished, Known, Work
from workers.microbatcher import MicroBatcher

log = logging.getLogger("darkroom.gpu")

HANDOVER_BATCH = 64
LOOK_UP_BATCH = 64
# Facts that belong to the bytes of a file, and so hold for every copy of it.
CONTENT_FACTS = ("format", "width", "height", "taken_at", "camera", "lens", "gps")


class Pipeline:
    """Warm models behind MicroBatchers; `process` may be called from many threads at once.

    `look_up` maps a list of sha256 to what is known for each; `publish` sends one PointsMessage and returns when the
    broker has it; both are called from one thread each.
    """

    def __init__(
        self,
        settings: Settings,
        clip: Clip,
        blip: Blip | None,
        look_up: Callable[[list[str]], Sequence[Known | None]],
        publish: Callable[[PointsMessage], None],
        device_type: str = "cpu",
    ) -> None:
        self.settings = settings
        self.clip = clip
        self.blip = blip
        self._publish = publish
        batch_clip, batch_blip = batch_sizes(settings, device_type)
        self.clip_batcher: MicroBatcher[Pixels, NDArray[np.float32]] = MicroBatcher(
            "clip", lambda batch: list(clip.embed_pictures(batch)), batch_clip, is_out_of_memory
        )
        self.blip_batcher: MicroBatcher[Pixels, str] | None = None
        if blip is not None:
            self.blip_batcher = MicroBatcher("blip", blip.caption, batch_blip, is_out_of_memory)
        self._look_up = MicroBatcher("look-up", look_up, LOOK_UP_BATCH)
        self._hand_over = MicroBatcher("hand-over", self._publish_batch, HANDOVER_BATCH)
        self._loaders = threading.BoundedSemaphore(loaders(settings))
        self._alone = threading.Lock()
        self._watchdog = Watchdog(settings.ingest.load_seconds)

    def process(self, message: FilesMessage, ledger: Ledger, redelivered: bool = False) -> None:
        """Bring the files of a message to the storage queue, or to the job's error list with their reasons.

        A redelivered file may be one that took its last worker down, so these are loaded one at a time with a note in
        the ledger. The first delivery counts as the first attempt: after `ingest.max_attempts` of them the file is
        listed as failed instead, but never before it was tried once alone.
        """
        files = message.files
        if redelivered:
            done = ledger.done([item.number for item in files])
            files = [item for item in files if item.number not in done]
        under_way: list[Work] = []
        for item in files:
            with self._failing(ledger, item), self._loading(ledger, item, redelivered):
                content = read(item.uri, self.settings.ingest.max_bytes)
                under_way.append(Work(item, content, self._look_up.submit(content.sha256)))
        for work in list(under_way):
            with self._failing(ledger, work.item, under_way, work):
                self._start_models(work, ledger, redelivered)
        handed_over = []
        for work in list(under_way):
            with self._failing(ledger, work.item, under_way, work):
                handed_over.append((work, self._hand_over.submit(self._finish(message, work))))
        for work, handed in handed_over:
            with self._failing(ledger, work.item):
                handed.result()

    def close(self) -> None:
        """End the batchers' threads once they have worked off what they hold."""
        for batcher in (self._look_up, self.clip_batcher, self.blip_batcher, self._hand_over):
            if batcher is not None:
                batcher.close()
        self._watchdog.close()

    def _start_models(self, work: Work, ledger: Ledger, redelivered: bool) -> None:
        known = work.known.result()
        wants_caption = self.blip is not None and (known is None or known.payload.get("blip_model") != self.blip.name)
        if known is not None and not wants_caption:
            work.content.data = b""
            return
        with self._loading(ledger, work.item, redelivered):
            work.picture = decode(
                work.content.data,
                self.settings.ingest.max_pixels,
                self.clip.target,
                self.blip.target if self.blip is not None and wants_caption else None,
            )
        work.content.data, size = b"", len(work.content.data)
        work.picture.facts["bytes"] = size
        if known is None:
            work.vector = self.clip_batcher.submit(work.picture.clip)
        if wants_caption and self.blip_batcher is not None and work.picture.blip is not None:
            work.caption = self.blip_batcher.submit(work.picture.blip)

    def _finish(self, message: FilesMessage, work: Work) -> Finished:
        known, picture = work.known.result(), work.picture
        if picture is not None:
            facts = {"format": picture.format, "width": picture.width, "height": picture.height, **picture.facts}
        else:
            assert known is not None
            facts = {name: known.payload[name] for name in (*CONTENT_FACTS, "bytes") if name in known.payload}
        if work.caption is not None and self.blip is not None:
            facts["caption"], facts["blip_model"] = work.caption.result(), self.blip.name
        elif known is not None and known.payload.get("caption") is not None:
            facts["caption"], facts["blip_model"] = known.payload["caption"], known.payload.get("blip_model")
        if work.vector is not None:
            vector = work.vector.result()
        else:
            assert known is not None
            vector = known.vector
        if not np.isfinite(vector).all():
            # Refused here, where it stands alone: the collection would refuse the whole batch that it travels in.
            raise LoadError("model", "its embedding has numbers that are not finite")
        payload = {
            "uri": work.item.uri,
            "root": message.root,
            "name": unquote(work.item.uri.rsplit("/", 1)[-1], errors="replace"),
            "sha256": work.content.sha256,
            "mtime": work.content.mtime,
            **facts,
            "clip_model": self.clip.name,
            "preprocessing": PREPROCESSING,
            "indexed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "schema": SCHEMA,
        }
        return Finished(message.job, work.item.number, vector, payload, work.vector is None and work.caption is None)

    def _publish_batch(self, batch: list[Finished]) -> list[None]:
        jobs: dict[str, list[Finished]] = {}
        for finished in batch:
            jobs.setdefault(finished.job, []).append(finished)
        for job, rows in jobs.items():
            self._publish(
                PointsMessage(
                    job=job,
                    clip_model=self.clip.name,
                    dim=self.clip.dim,
                    numbers=[row.number for row in rows],
                    vectors=np.stack([row.vector for row in rows]).astype("<f4").tobytes(),
                    payloads=[row.payload for row in rows],
                    reused=[row.reused for row in rows],
                )
            )
        return [None] * len(batch)

    @contextmanager
    def _loading(self, ledger: Ledger, item: FileItem, redelivered: bool) -> Iterator[None]:
        def give_up() -> None:
            reason = f"loading it took longer than ingest.load_seconds = {self.settings.ingest.load_seconds}"
            log.error("%s: %s", item.uri, reason)
            ledger.failed([Failure(item.number, item.uri, "load", reason)])

        if not redelivered:
            with self._loaders, self._watchdog.watching(give_up):
                yield
            return
        with self._alone:
            alone = max(1, self.settings.ingest.max_attempts - 1)
            if ledger.count_attempt(item.number) > alone:
                raise LoadError("load", f"its worker died while loading it, {alone + 1} times over")
            with self._watchdog.watching(give_up):
                yield
            ledger.forget_attempt(item.number)

    @contextmanager
    def _failing(
        self, ledger: Ledger, item: FileItem, under_way: list[Work] | None = None, work: Work | None = None
    ) -> Iterator[None]:
        """Let one file fail alone: its reason goes to the ledger, and it leaves the files under way."""
        try:
            yield
            return
        except LoadError as error:
            failure = Failure(item.number, item.uri, error.stage, error.reason)
            log.warning("%s: %s", item.uri, error.reason)
        except RedisError:
            # The ledger being away says nothing about the file.
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:300]
            failure = Failure(item.number, item.uri, "model", f"unexpected error, see the worker's log ({reason})")
            log.exception("%s", item.uri)
        ledger.failed([failure])
        if under_way is not None and work is not None:
            under_way.remove(work)
