"""Publishes computed files to the storage queue: what is stored of each file, and one message a job."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pictures.picture import LoadError
from pictures.uris import name_of
from tasks.checkpoint import PAYLOAD_SCHEMA, PREPROCESSING
from tasks.messages import FilesMessage, PointsMessage, Target
from workers.gpu.delivery import FileState
from workers.text import nfc

# Facts that only decoding tells; they are the same for every copy of the bytes.
DECODED_FACTS = ("format", "width", "height", "damaged", "damage")

# What `label` has found by the embedding: the same bytes show the same.
LABELLED = ("concepts", "concept_scores")


@dataclass
class PointRow:
    """One file as a row of a PointsMessage."""

    job: str
    number: int
    vector: NDArray[np.float32]
    payload: dict[str, Any]
    embedded: bool
    captioned: bool
    was_read: bool = False

    @property
    def reused(self) -> bool:
        """True when no model computed anything for the file."""
        return not (self.embedded or self.captioned or self.was_read)


def point_row(
    message: FilesMessage,
    state: FileState,
    clip_model: str,
    blip_model: str | None,
    ocr_model: str | None = None,
    preprocessing: Callable[[], str] = lambda: PREPROCESSING,
) -> PointRow:
    """The row of one file whose futures are all done; raises what the models raised, LoadError for a bad vector.

    `blip_model` is the name of the caption model, used when the file has a new caption, `ocr_model` that of what has
    read its text; `preprocessing` tells that of a new embedding, once there is one.
    """
    known, facts = state.known.result(), state.facts
    if not state.is_decoded:
        assert known is not None
        facts = {name: known.payload[name] for name in DECODED_FACTS if name in known.payload} | facts
    facts = {name: _as_stored(value) for name, value in facts.items()}
    if state.caption is not None:
        facts["caption"], facts["blip_model"] = nfc(state.caption.result()), blip_model
    elif known is not None and known.payload.get("caption") is not None:
        facts["caption"], facts["blip_model"] = nfc(known.payload["caption"]), known.payload.get("blip_model")
    if state.text is not None:
        facts |= _read_text(nfc(state.text.result()), ocr_model)
    elif known is not None and known.payload.get("ocr_model") is not None:
        facts |= _read_text(known.payload.get("text"), known.payload["ocr_model"])
    if known is not None:
        facts |= {name: known.payload[name] for name in LABELLED if name in known.payload}
    if state.vector is not None:
        vector, version = state.vector.result(), preprocessing()
    else:
        assert known is not None
        vector, version = known.vector, known.payload.get("preprocessing", PREPROCESSING)
    if not np.isfinite(vector).all():
        # Refused here, where only this file fails: the collection would refuse the whole batch.
        raise LoadError("model", "its embedding has numbers that are not finite")
    payload = {
        "uri": state.item.uri,
        "root": message.root,
        "name": nfc(name_of(state.item.uri)),
        "sha256": state.content.sha256,
        "mtime": state.content.mtime,
        **facts,
        "clip_model": clip_model,
        "preprocessing": version,
        "indexed_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "schema": PAYLOAD_SCHEMA,
    }
    if state.content.sidecar is not None:
        payload["sidecar"] = list(state.content.sidecar.version)
    return PointRow(message.job, state.item.number, vector, payload, state.embedded, state.captioned, state.was_read)


def _read_text(text: str | None, ocr_model: str | None) -> dict[str, Any]:
    """The text in a picture and what has read it; a picture without text has the second alone."""
    return {"text": text, "ocr_model": ocr_model} if text else {"ocr_model": ocr_model}


def _as_stored(fact: Any) -> Any:
    """A fact with its texts in one form; the URI alone stays as it is, byte for byte, for it names the file."""
    if isinstance(fact, list):
        return list(dict.fromkeys(map(_as_stored, fact)))
    return nfc(fact) if isinstance(fact, str) else fact


class PointsPublisher:
    """Makes the rows of computed files and publishes them.

    `blip_model` is None where no captions are written, `ocr_model` where no text is read. `publish` sends one
    PointsMessage and returns when the broker has it; `count` notes how many files of a job a model embedded and
    captioned. `preprocessing` tells that of new embeddings, with the precision that they are computed in.
    """

    def __init__(
        self,
        clip_model: str,
        blip_model: str | None,
        publish: Callable[[PointsMessage], None],
        count: Callable[[str, int, int], None],
        ocr_model: str | None = None,
        preprocessing: Callable[[], str] = lambda: PREPROCESSING,
    ) -> None:
        self._preprocessing = preprocessing
        self._models = clip_model, blip_model, ocr_model
        self._publish = publish
        self._count = count

    def publish(self, batch: Sequence[tuple[FilesMessage, FileState]]) -> list[Exception | None]:
        """Publish these files; returns for each the error that it failed with, or None once it is published."""
        rows_of_jobs: dict[str, list[PointRow]] = {}
        collections: dict[str, str] = {}
        errors: list[Exception | None] = []
        for message, state in batch:
            try:
                row = point_row(message, state, *self._models, self._preprocessing)
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
        vectors = np.stack([row.vector for row in rows]).astype("<f4")
        return PointsMessage(
            target=Target(collection, self._models[0], self._models[1] or ""),
            job=job,
            dim=vectors.shape[1],
            numbers=[row.number for row in rows],
            vectors=vectors.tobytes(),
            payloads=[row.payload for row in rows],
            reused=[row.reused for row in rows],
        )
