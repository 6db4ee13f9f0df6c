"""Makes some files fatal to Pillow or to the models: on PYTHONPATH, this is imported by every Python at its start.

A file that begins with ABORTS ends its process as a crashing decoder does; one that begins with EATS takes memory until
the process is killed for it, as the kernel does where memory is limited; one of a certain colour is decoded like any
other and crashes the forward pass that it is in. All others are worked on as ever.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.chaos.magic import ABORTS, CRASHES_MODELS, EATS

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
    return PngImageFile(stream, name)


def _eat() -> None:
    eaten = bytearray()
    while len(eaten) < LIMIT:
        eaten += b"\1" * 2**24
    os.kill(os.getpid(), signal.SIGKILL)


# Under the name of a format that the loader tries; its own plugin is imported above and so does not register again.
Image.register_open("PNG", _open, _accepts)


class _FeedLoader(Loader):
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._loader.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        feed = module.PixelFeed.__call__

        def deadly_feed(own: Any, pictures: Sequence[Any], dtype: Any) -> Any:
            if any((picture == CRASHES_MODELS).all() for picture in pictures):
                os.abort()
            return feed(own, pictures, dtype)

        module.PixelFeed.__call__ = deadly_feed


class _FeedFinder(MetaPathFinder):
    """Changes the module that feeds the models once it is imported: importing it here would load torch everywhere."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "workers.inference.pixels":
            return None
        spec = PathFinder.find_spec(fullname, path)
        if spec is not None:
            spec.loader = _FeedLoader(spec.loader)
        return spec


sys.meta_path.insert(0, _FeedFinder())
