"""Publishes computed files to the storage queue: what is stored of each file, and one message a job."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictures.picture import LoadError
from pictures.uris import name_of
from tasks.checkpoint import PREPROCESSING
from tasks.messages import FilesMessage, PointsMessage, Target
from workers.gpu.delivery import FileState

# Of the payload: raise it when what stands in it changes.
SCHEMA = 1
# Facts that depend on the bytes of a file only, so they are the same for every copy of it.
CONTENT_FACTS = (
    *("format", "width", "height", "taken_at", "camera", "lens", "exposure", "aperture", "iso", "focal_length", "gps"),
    *("title", "description", "keywords"),
)


@dataclass
class PointRow:
    """One file as a row of a PointsMessage."""

    job: str
    number: int
    vector: NDArray[np.float32]
    payload: dict[str, Any]
    embedded: bool
    captioned: bool

    @property
    def reused(self) -> bool:
        """True when no model computed anything for the file."""
        return not (self.embedded or self.captioned)


def point_row(message: FilesMessage, state: FileState, clip_model: str, blip_model: str | None) -> PointRow:
    """The row of one file whose futures are all done; raises what the models raised, LoadError for a bad vector.

    `blip_model` is the name of the caption model, used when the file has a new caption.
    """
    known, picture = state.known.result(), state.picture
    if picture is not None:
        facts = {"format": picture.format, "width": picture.width, "height": picture.height, **picture.facts}
    else:
        assert known is not None
        facts = {name: known.payload[name] for name in (*CONTENT_FACTS, "bytes") if name in known.payload}
    if state.caption is not None:
        facts["caption"], facts["blip_model"] = state.caption.result(), blip_model
    elif known is not None and known.payload.get("caption") is not None:
        facts["caption"], facts["blip_model"] = known.payload["caption"], known.payload.get("blip_model")
    if state.vector is not None:
        vector = state.vector.result()
    else:
        assert known is not None
        vector = known.vector
    if not np.isfinite(vector).all():
        # Refused here, where only this file fails: the collection would refuse the whole batch.
        raise LoadError("model", "its embedding has numbers that are not finite")
    payload = {
        "uri": state.item.uri,
        "root": message.root,
        "name": name_of(state.item.uri),
        "sha256": state.content.sha256,
        "mtime": state.content.mtime,
        **facts,
        "clip_model": clip_model,
        "preprocessing": PREPROCESSING,
        "indexed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "schema": SCHEMA,
    }
    embedded, captioned = state.vector is not None, state.caption is not None
    return PointRow(message.job, state.item.number, vector, payload, embedded, captioned)


class PointsPublisher:
    """Makes the rows of computed files and publishes them; `blip_model` is None where no captions are written.

    `publish` sends one PointsMessage and returns when the broker has it; `count` notes how many files of a job a model
    embedded and captioned.
    """

    def __init__(
        self,
        clip_model: str,
        dim: int,
        blip_model: str | None,
        publish: Callable[[PointsMessage], None],
        count: Callable[[str, int, int], None],
    ) -> None:
        self._clip_model = clip_model
        self._dim = dim
        self._blip_model = blip_model
        self._publish = publish
        self._count = count

    def publish(self, batch: Sequence[tuple[FilesMessage, FileState]]) -> list[Exception | None]:
        """Publish these files; returns for each the error that it failed with, or None once it is published."""
        rows_of_jobs: dict[str, list[PointRow]] = {}
        collections: dict[str, str] = {}
        errors: list[Exception | None] = []
        for message, state in batch:
            try:
                row = point_row(message, state, self._clip_model, self._blip_model)
            except Exception as error:  # whatever a model raised for this file
                errors.append(error)
            else:
                errors.append(None)
                rows_of_jobs.setdefault(message.job, []).append(row)
                collections[message.job] = message.target.collection
        for job, rows in rows_of_jobs.items():
            # Counted before the points are published, so that the count of a finished job is complete.
            self._count(job, sum(row.embedded for row in rows), sum(row.captioned for row in rows))
            self._publish(self._message(collections[job], job, rows))
        return errors

    def _message(self, collection: str, job: str, rows: Sequence[PointRow]) -> PointsMessage:
        return PointsMessage(
            target=Target(collection, self._clip_model, self._blip_model or ""),
            job=job,
            dim=self._dim,
            numbers=[row.number for row in rows],
            vectors=np.stack([row.vector for row in rows]).astype("<f4").tobytes(),
            payloads=[row.payload for row in rows],
            reused=[row.reused for row in rows],
        )
