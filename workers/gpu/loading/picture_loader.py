"""What a loader does with a file: it reads it, decodes it for the models, keeps a small picture and reads the facts.

A thread of the GPU worker and a loader process run the same lines. So nothing here needs torch, Celery or Redis.
"""

import logging
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from pictures.decode import decode
from pictures.facts.reading import read_facts
from pictures.picture import Content, LoadError, NoMemory, Picture, Reserve
from pictures.preprocessing import PictureInput
from pictures.reading import Sources
from pictures.thumbnail_store import ThumbnailStore
from pictures.thumbnails import THUMBNAIL, webp
from settings import Settings
from workers.gpu.loading.memory_budget import NoRoom
from workers.logs import about_file

log = logging.getLogger("darkroom.gpu")


class PixelBudget(Protocol):
    """The limit of pixels that all loaders share."""

    def try_take(self, size: int) -> bool:
        """Take so many if they fit and nobody waits for more."""

    def take(self, size: int) -> None:
        """Wait until so many fit, and take them."""

    def give_back(self, size: int) -> None:
        """Give back what was taken."""


class TimeLimit(Protocol):
    """A context to read or decode one file in, which notices when that hangs."""

    def __enter__(self) -> Any:
        """The time begins."""

    def __exit__(self, *_: object) -> None:
        """The time ends."""

    def paused(self) -> AbstractContextManager[None]:
        """Inside this context no time passes; afterwards it begins anew."""


class DecodesOnDevice(Protocol):
    """What decodes pictures on the device of the models."""

    def __call__(
        self,
        data: bytes,
        clip: PictureInput,
        blip: PictureInput | None,
        small: int | None,
        text: PictureInput | None,
    ) -> Picture | None:
        """The same as pictures.decode.decode, None for what the CPU is to decode."""


@dataclass(frozen=True)
class Inputs:
    """What a picture is decoded for: the embedder, and the captioner and who reads text where they are asked."""

    clip: PictureInput
    blip: PictureInput | None = None
    text: PictureInput | None = None


# What became of one file: what was wanted of it, or the error that it failed with.
Read: TypeAlias = Content | LoadError | NoRoom
Decoded: TypeAlias = Picture | dict[str, Any] | LoadError


def failure(error: Exception) -> LoadError:
    """The error of one file without its traceback, which holds what was read; an unexpected one is logged with it."""
    if isinstance(error, LoadError):
        return error.with_traceback(None)
    reason = f"{type(error).__name__}: {error}"[:300]
    log.error("%s", reason, exc_info=error)
    return LoadError("model", f"unexpected error, see the worker's log ({reason})")


class PictureLoader:
    """Loads one file at a time for whoever calls it; safe to call from many threads.

    The pixels of all pictures that are decoded at the same time are within `pixels`. `keeps_thumbnails` says whether a
    small picture of each file is kept, for those who will look at the collection; so many `processes` do so together.
    `on_device` is asked first.
    """

    def __init__(
        self,
        settings: Settings,
        pixels: PixelBudget,
        keeps_thumbnails: bool,
        on_device: DecodesOnDevice | None = None,
        processes: int = 1,
    ) -> None:
        self._sources = Sources(settings)
        self._max_pixels = settings.ingest.max_pixels
        self._thumbnails = ThumbnailStore(settings, processes) if keeps_thumbnails else None
        self._pixels = pixels
        self._on_device = on_device

    def read(self, root: str, uri: str, may_have_sidecar: bool, reserve: Reserve, limit: TimeLimit) -> Read:
        """Read a file of this root; NoRoom where `reserve` finds none for it."""
        with about_file(uri):
            try:
                with limit:
                    return self._sources.read(uri, root, reserve, may_have_sidecar)
            except NoRoom as error:
                return error.with_traceback(None)
            except Exception as error:  # whatever a file makes its reader raise is the failure of that file
                return failure(error)

    def load(self, content: Content, inputs: Inputs | None, limit: TimeLimit) -> Picture | dict[str, Any]:
        """A file decoded for `inputs`, with its facts and size; its facts and size alone where nothing is decoded.

        The small picture is kept, where they are. Raises LoadError, which notes the file if its content is the reason.
        """
        if inputs is None:
            with limit:
                return _facts(content)
        try:
            with limit:
                picture = self._decode(content.data, inputs, limit, THUMBNAIL if self._thumbnails else None)
                picture.facts |= _facts(content)
        except NoMemory:
            raise
        except LoadError as error:
            error.file = content.size, content.mtime
            raise
        if self._thumbnails and picture.small is not None:
            self._thumbnails.put(content.sha256, THUMBNAIL, webp(picture.small))
            picture.small = None
        return picture

    def decode(self, data: bytes, inputs: Inputs, limit: TimeLimit) -> Picture:
        """Decode the bytes of a question; raises LoadError with the reason if that fails."""
        with limit:
            return self._decode(data, inputs, limit)

    def _decode(self, data: bytes, inputs: Inputs, limit: TimeLimit, small: int | None = None) -> Picture:
        if self._on_device is not None:
            made = self._on_device(data, inputs.clip, inputs.blip, small, inputs.text)
            if made is not None:
                return made
        taken = 0

        def reserve(pixels: int) -> None:
            # A picture that is opened once more has given back its first pixels, so nobody waits with something taken.
            nonlocal taken
            self._pixels.give_back(taken)
            taken = 0
            if not self._pixels.try_take(pixels):
                with limit.paused():
                    self._pixels.take(pixels)
            taken = pixels

        try:
            return decode(data, self._max_pixels, inputs.clip, inputs.blip, reserve, small, inputs.text)
        finally:
            self._pixels.give_back(taken)


def _facts(content: Content) -> dict[str, Any]:
    return {**read_facts(content.data, content.sidecar), "bytes": len(content.data)}
