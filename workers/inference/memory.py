"""Memory: what to give back after a batch that did not fit."""

import gc
import sys


def free_cached() -> None:
    """Give back what torch keeps for later batches, so that a smaller one finds it in one piece."""
    # An error may refer to its own frames; only a search finds what is held by such a circle.
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
