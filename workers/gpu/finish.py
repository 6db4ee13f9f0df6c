"""What is stored of a file: its vector and its payload, from its own picture or from a known copy of its content."""

import time

import numpy as np

from tasks.checkpoint import PREPROCESSING
from tasks.messages import SCHEMA, FilesMessage
from tasks.uris import name_of
from workers.gpu.picture import LoadError
from workers.gpu.work import Finished, Work

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
