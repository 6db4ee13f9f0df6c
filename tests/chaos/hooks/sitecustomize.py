"""Makes Pillow fatal: put on PYTHONPATH, this module is imported by every Python at its start.

A file that begins with ABORTS ends its process the way a crashing decoder does; one that begins with EATS takes memory
until the process is killed for it, as the kernel does when memory is out. Everything else is opened as ever.
"""

import os
import resource
import signal
from typing import IO, Any

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

ABORTS, EATS = b"DARKROOM-ABORTS", b"DARKROOM-EATS"
MEGABYTES = 256


def _accepts(prefix: bytes) -> bool:
    return prefix.startswith((b"\x89PNG", b"DARKROOM-"))


def _open(stream: IO[bytes], name: Any) -> PngImageFile:
    start = stream.read(len(ABORTS))
    if start == ABORTS:
        os.abort()
    if start.startswith(EATS):
        _eat()
    stream.seek(0)
    return PngImageFile(stream, name)


def _eat() -> None:
    eaten = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + MEGABYTES * 1024:
        eaten.append(b"\1" * 2**24)
    os.kill(os.getpid(), signal.SIGKILL)


# As "PNG", for the loader tries only the formats that it names.
Image.register_open("PNG", _open, _accepts)
