"""Memory: what to give back after a batch that did not fit, and how much files may take that wait to be decoded."""

import gc
import sys

from settings import Settings
from workers.inference.hardware import memory

# Of the memory of this machine for this worker; models, batches and everything else need the rest.
READ_SHARE = 4


def free_cached() -> None:
    """Give back what torch keeps for later batches, so that a smaller one finds it in one piece."""
    # An error may refer to its own frames; only a search finds what is held by such a circle.
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def read_bytes(settings: Settings) -> int:
    """How many bytes of files a worker may hold that are read and not decoded yet."""
    return memory("cpu") // READ_SHARE if settings.gpu.read_bytes == "auto" else settings.gpu.read_bytes
