"""Where loader processes put pixels: slots in memory that they share with their GPU worker, each for one picture.

What is decoded and not computed yet takes no more memory than the slots have, and nobody copies it from one process to
another. On CUDA the slots are pinned, so that the device reads them by itself.
"""

import logging
import math
import mmap
import os
import threading
import weakref
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput, PictureInput
from workers.gpu.loading.board import shared_file
from workers.gpu.loading.picture_loader import Inputs

log = logging.getLogger("darkroom.gpu")

CHANNELS = 3


def slot_bytes(target: PictureInput) -> int:
    """The most bytes that a picture for this target has."""
    if isinstance(target, ModelInput):
        return target.height * target.width * CHANNELS
    return target.edge * target.edge * CHANNELS


class Slots:
    """`count` slots of `size` bytes each; `offset` is where the first one begins in the file that they lie in."""

    def __init__(self, memory: mmap.mmap, offset: int, count: int, size: int) -> None:
        self._memory = memory
        self._offset = offset
        self._size = size
        # Those that were used last are used next: memory that nobody has touched yet is not taken.
        self._free = list(range(count))[::-1]
        # Reentrant, because a picture may end in any line of the thread that is in here.
        self._changed = threading.Condition(threading.RLock())

    def take(self, wait: bool) -> int | None:
        """A free slot; None if there is none, unless `wait`."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._free)
            return self._free.pop() if self._free else None

    def give_back(self, slot: int) -> None:
        """The slot is free."""
        with self._changed:
            self._free.append(slot)
            self._changed.notify()

    def offset(self, slot: int) -> int:
        """Where the slot begins in the file."""
        return self._offset + slot * self._size

    def picture(self, slot: int, shape: tuple[int, ...]) -> Pixels:
        """What is in a slot, as uint8 of this shape; the slot is free again once nobody holds a part of it any more."""
        # An array over the memory itself: numpy keeps it for all views of it, whatever is done to them.
        pixels = np.frombuffer(self._memory, np.uint8, math.prod(shape), slot * self._size)
        weakref.finalize(pixels, self.give_back, slot).atexit = False
        return pixels.reshape(shape)


class PictureSlots:
    """The slots that one picture goes to: one for each model that sees it, none for the others."""

    def __init__(self, slots: Sequence[Slots | None]) -> None:
        self._slots = slots
        self._taken: list[int | None] = [None] * len(slots)

    def take(self, wait: bool) -> bool:
        """Take them; False, and nothing is taken, if one is not free, unless `wait`."""
        for place, slots in enumerate(self._slots):
            if slots is not None and (slot := slots.take(wait)) is not None:
                self._taken[place] = slot
            elif slots is not None:
                self.give_back()
                return False
        return True

    @property
    def offsets(self) -> list[int | None]:
        """Where the pixels for each model go."""
        return [
            None if slots is None or slot is None else slots.offset(slot)
            for slots, slot in zip(self._slots, self._taken, strict=True)
        ]

    def pictures(self, shapes: Sequence[Sequence[int] | None]) -> "list[Pixels | None]":
        """What is in them; each is free again once nobody holds its pixels any more."""
        pictures: list[Pixels | None] = []
        for place, (slots, shape) in enumerate(zip(self._slots, shapes, strict=True)):
            slot = self._taken[place]
            if slots is None or slot is None or shape is None:
                pictures.append(None)
                continue
            pictures.append(slots.picture(slot, tuple(shape)))
            self._taken[place] = None
        return pictures

    def give_back(self) -> None:
        """Give back those that no picture is in."""
        for place, (slots, slot) in enumerate(zip(self._slots, self._taken, strict=True)):
            if slots is not None and slot is not None:
                slots.give_back(slot)
                self._taken[place] = None


class SharedSlots:
    """The slots of a GPU worker: `count` for each model, made when the first picture for it is loaded.

    They lie in one file, which grows: a loader process has it open from its start on.
    """

    def __init__(self, count: int, pinned: bool) -> None:
        self.descriptor = shared_file("darkroom-slots")
        weakref.finalize(self, os.close, self.descriptor)
        self._count = count
        self._pinned = pinned
        self._length = 0
        self._slots: dict[tuple[str, PictureInput], Slots] = {}
        self._lock = threading.Lock()

    def take(self, inputs: Inputs | None, wait: bool) -> PictureSlots | None:
        """The slots for a picture that is loaded for these; None if one is not free, unless `wait`."""
        named = () if inputs is None else (("clip", inputs.clip), ("blip", inputs.blip), ("text", inputs.text))
        slots = PictureSlots([None if target is None else self._of(model, target) for model, target in named])
        return slots if slots.take(wait) else None

    def _of(self, model: str, target: PictureInput) -> Slots:
        with self._lock:
            if (slots := self._slots.get((model, target))) is None:
                slots = self._slots[model, target] = self._make(slot_bytes(target))
            return slots

    def _make(self, size: int) -> Slots:
        offset, length = self._length, size * self._count
        # The next ones begin on a page.
        self._length += -(-length // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        os.ftruncate(self.descriptor, self._length)
        memory = mmap.mmap(self.descriptor, length, offset=offset)
        if self._pinned:
            pin(np.frombuffer(memory, np.uint8))
        return Slots(memory, offset, self._count, size)


def pin(memory: NDArray[np.uint8]) -> bool:
    """Register memory with CUDA, so that the device copies from it without help; False, and a line, where it cannot.

    https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__MEMORY.html, cudaHostRegister with the flags 0. It is
    unregistered when this process ends, and so is never freed before.
    """
    import torch

    error = int(torch.cuda.cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, 0))
    if error:
        log.warning("the memory of loaded pictures is not pinned (CUDA error %d), so they are copied once more", error)
    return not error
