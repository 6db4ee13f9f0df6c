"""The GPU worker's answer to a search by picture: the bytes of one file in, its embedding out."""

from typing import Any

from tasks.app import app
from tasks.errors import WrongUse
from tasks.queues import EMBED_PICTURE
from tasks.rpc import answer


@app.task(name=EMBED_PICTURE, ignore_result=False, acks_late=False)
def embed_picture(data: bytes, name: str) -> dict[str, Any]:
    """Embed one picture, decoded as an ingest would: float32 bytes, `dim` numbers, and the model's name.

    `name` is how the sentence calls a picture that cannot be decoded.
    """

    def work() -> dict[str, Any]:
        from workers.gpu.load import decode
        from workers.gpu.picture import LoadError
        from workers.gpu.worker import pipeline

        own = pipeline()
        try:
            picture = decode(data, own.settings.ingest.max_pixels, own.clip.target, None)
        except LoadError as error:
            raise WrongUse(f"{name} cannot be searched by: {error.reason}.") from error
        vector = own.clip_batcher.submit(picture.clip).result()
        return {"vectors": vector.astype("<f4").tobytes(), "dim": own.clip.dim, "clip_model": own.clip.name}

    return answer(work)
