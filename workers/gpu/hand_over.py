"""Finished files on their way to storage: one message for those of one job that were finished together."""

from collections.abc import Sequence

import numpy as np

from tasks.messages import PointsMessage
from workers.gpu.work import Finished


def by_job(batch: Sequence[Finished]) -> dict[str, list[Finished]]:
    """The files of each job, in their order."""
    jobs: dict[str, list[Finished]] = {}
    for finished in batch:
        jobs.setdefault(finished.job, []).append(finished)
    return jobs


def points_message(job: str, rows: Sequence[Finished], clip_model: str, dim: int) -> PointsMessage:
    """The message with some files of one job; their vectors as little-endian float32, `dim` numbers each."""
    return PointsMessage(
        job=job,
        clip_model=clip_model,
        dim=dim,
        numbers=[row.number for row in rows],
        vectors=np.stack([row.vector for row in rows]).astype("<f4").tobytes(),
        payloads=[row.payload for row in rows],
        reused=[row.reused for row in rows],
    )
