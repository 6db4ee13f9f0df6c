"""Makes some files fatal to Pillow or to the models: on PYTHONPATH, this is imported by every Python at its start.

A file that begins with ABORTS ends its process as a crashing decoder does; one that begins with EATS takes memory until
the process is killed for it, as the kernel does where memory is limited; one that begins with HANGS is never done; one
of a certain colour is decoded like any other and crashes the forward pass that it is in. All others are worked on as
ever.
"""

import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.chaos.magic import ABORTS, CRASHES_MODELS, EATS, HANGS

LIMIT = 256 * 2**20


def _accepts(prefix: bytes) -> bool:
    return prefix.startswith((b"\x89PNG", b"DARKROOM-"))


def _open(stream: IO[bytes], name: Any) -> PngImageFile:
    start = stream.read(len(ABORTS))
    stream.seek(0)
    if start == ABORTS:
        os.abort()
    if start == EATS:
        _eat()
    if start == HANGS:
        threading.Event().wait()
    return PngImageFile(stream, name)


def _eat() -> None:
    eaten = bytearray()
    while len(eaten) < LIMIT:
        eaten += b"\1" * 2**24
    os.kill(os.getpid(), signal.SIGKILL)


# Under the name of a format that the loader tries; its own plugin is imported above and so does not register again.
Image.register_open("PNG", _open, _accepts)


# The module that hands pictures to a model -> its class and method: of checkpoints, and of the null model.
FEEDS = {
    "workers.inference.pixels": ("PixelFeed", "__call__"),
    "workers.inference.null": ("NullClip", "embed_pictures"),
}


class _FeedLoader(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        holder, method = FEEDS[module.__name__]
        feeder = getattr(module, holder)
        feed = getattr(feeder, method)

        def deadly_feed(own: Any, pictures: Sequence[Any], *more: Any) -> Any:
            if any((picture == CRASHES_MODELS).all() for picture in pictures):
                os.abort()
            return feed(own, pictures, *more)

        setattr(feeder, method, deadly_feed)


class _FeedFinder(MetaPathFinder):
    """Changes what feeds the models once it is imported: importing it here would load torch everywhere."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in FEEDS:
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            spec.loader = _FeedLoader(spec.loader)
        return spec


sys.meta_path.insert(0, _FeedFinder())
