"""Makes some files fatal to Pillow: on PYTHONPATH, this module is imported by every Python at its start.

A file that begins with ABORTS ends its process as a crashing decoder does; one that begins with EATS takes memory until
the process is killed for it, as the kernel does where memory is limited. All others are opened as ever.
"""

import os
import signal
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tests.chaos.magic import ABORTS, EATS

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
