"""Finished files on their way to storage: what is stored of each, and one message for those of one job."""

import time
from collections.abc import Callable, Sequence

import numpy as np

from pictures.picture import LoadError
from pictures.uris import name_of
from tasks.checkpoint import PREPROCESSING
from tasks.messages import SCHEMA, FilesMessage, PointsMessage
from workers.gpu.delivery import Finished, Work

# Facts that belong to the bytes of a file, and so hold for every copy of it.
CONTENT_FACTS = (
    *("format", "width", "height", "taken_at", "camera", "lens", "exposure", "aperture", "iso", "focal_length", "gps"),
    *("title", "description", "keywords"),
)


def finish(message: FilesMessage, work: Work, clip_model: str, blip_model: str | None) -> Finished:
    """The row of one file whose results are all there; raises what the models raised, LoadError for a bad vector.

    `blip_model` names who wrote the caption, if the work has one of its own.
    """
    known, picture = work.known.result(), work.picture
    if picture is not None:
        facts = {"format": picture.format, "width": picture.width, "height": picture.height, **picture.facts}
    else:
        assert known is not None
        facts = {name: known.payload[name] for name in (*CONTENT_FACTS, "bytes") if name in known.payload}
    if work.caption is not None:
        facts["caption"], facts["blip_model"] = work.caption.result(), blip_model
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
        "name": name_of(work.item.uri),
        "sha256": work.content.sha256,
        "mtime": work.content.mtime,
        **facts,
        "clip_model": clip_model,
        "preprocessing": PREPROCESSING,
        "indexed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "schema": SCHEMA,
    }
    return Finished(message.job, work.item.number, vector, payload, work.vector is not None, work.caption is not None)


class Sender:
    """Makes rows of finished files and publishes them; the models are given by name, `blip_model` if there is one.

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

    def send(self, batch: Sequence[tuple[FilesMessage, Work]]) -> list[Exception | None]:
        """Publish these files; returns for each the error that keeps it alone back, None where it is on its way."""
        jobs: dict[str, list[Finished]] = {}
        errors: list[Exception | None] = []
        for message, work in batch:
            try:
                row = finish(message, work, self._clip_model, self._blip_model)
            except Exception as error:  # whatever a model raised over this file
                errors.append(error)
            else:
                errors.append(None)
                jobs.setdefault(message.job, []).append(row)
        for job, rows in jobs.items():
            # Before the points are on their way, so that a finished job has the whole count.
            self._count(job, sum(row.embedded for row in rows), sum(row.captioned for row in rows))
            self._publish(self._message(job, rows))
        return errors

    def _message(self, job: str, rows: Sequence[Finished]) -> PointsMessage:
        return PointsMessage(
            job=job,
            clip_model=self._clip_model,
            dim=self._dim,
            numbers=[row.number for row in rows],
            vectors=np.stack([row.vector for row in rows]).astype("<f4").tobytes(),
            payloads=[row.payload for row in rows],
            reused=[row.reused for row in rows],
        )
