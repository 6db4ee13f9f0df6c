"""Decodes pictures for the models of this worker, all loaders together within one limit of pixels."""

from pictures.decode import decode
from pictures.picture import Picture
from pictures.preprocessing import ModelInput
from workers.gpu.loaders import TimeLimit
from workers.gpu.memory_budget import MemoryBudget


class Decoder:
    """Decodes for CLIP, and for BLIP where captions are written.

    The pixels of all pictures that are decoded at the same time are at most `max_pixels`, as those of each one are.
    """

    def __init__(self, max_pixels: int, clip: ModelInput, blip: ModelInput | None) -> None:
        self._max_pixels = max_pixels
        self._clip = clip
        self._blip = blip
        self._pixels = MemoryBudget(max_pixels)

    def decode(self, data: bytes, captions: bool, limit: TimeLimit) -> Picture:
        """Decode bytes within a time limit; raises LoadError with the reason if that fails."""
        taken = 0

        def reserve(pixels: int) -> None:
            # A picture that is opened once more has given back its first pixels, so nobody waits with something taken.
            nonlocal taken
            self._pixels.give_back(taken)
            taken = 0
            with limit.paused():
                self._pixels.take(pixels)
            taken = pixels

        with limit:
            try:
                return decode(data, self._max_pixels, self._clip, self._blip if captions else None, reserve)
            finally:
                self._pixels.give_back(taken)
