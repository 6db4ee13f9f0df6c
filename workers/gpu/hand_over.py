"""Finished files on their way to storage: one message for those of one job that were finished together."""

from collections.abc import Callable, Sequence

import numpy as np

from tasks.messages import FilesMessage, PointsMessage
from workers.gpu.finish import finish
from workers.gpu.work import Finished, Work


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
