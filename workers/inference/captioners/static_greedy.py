"""Greedy decoding for BLIP on an accelerator: the results of `generate` with num_beams=1, and hardly a wait.

A device is fast where nobody asks it what it has found. So a word reads and writes memory that always lies at the same
place, finished captions are computed on to no effect, and the device is asked for the end every LOOK_WORDS words only.
What is the same for every word can be recorded once and replayed: one CUDA graph a word, for each size of a batch.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any

import torch

from workers.inference.accelerators import is_out_of_memory
from workers.inference.captioners.blip_decoder import BlipDecoder, Seen

log = logging.getLogger("darkroom.gpu")

LOOK_WORDS = 4
Step = Callable[[], None]
# Runs a step now and then, and returns what runs it again, as fast as the device can.
Record = Callable[[Step], Step]


class _Words:
    """The state of as many captions as there are pictures; `first(n)` is that of the first n, in the same memory."""

    def __init__(self, decoder: BlipDecoder, pictures: torch.Tensor, max_tokens: int) -> None:
        device, rows = pictures.device, len(pictures)
        shape = (decoder.layers, rows, decoder.heads, max_tokens, decoder.head_width)
        self._decoder = decoder
        self.pictures = pictures
        self.keys, self.values = pictures.new_zeros(shape), pictures.new_zeros(shape)
        self.tokens = torch.zeros((rows, max_tokens), dtype=torch.long, device=device)
        self.last = torch.zeros(rows, dtype=torch.long, device=device)
        self.has_ended = torch.zeros(rows, dtype=torch.bool, device=device)
        # The place of the next word, and how many words the longest caption has.
        self.position = torch.zeros(1, dtype=torch.long, device=device)
        self.length = torch.zeros(1, dtype=torch.long, device=device)
        self._places = torch.arange(max_tokens, device=device)

    def first(self, rows: int) -> "_Words":
        """The state of the first captions, which is a part of this one."""
        part = object.__new__(_Words)
        part.__dict__ = dict(self.__dict__)
        for name in ("pictures", "tokens", "last", "has_ended"):
            setattr(part, name, getattr(self, name)[:rows])
        part.keys, part.values = self.keys[:, :rows], self.values[:, :rows]
        return part

    def begin(self, pictures: torch.Tensor) -> None:
        """Begin the captions of encoded pictures, of which there may be fewer than rows."""
        count = len(pictures)
        self.pictures[:count].copy_(pictures)
        # What stands after the last word is multiplied by zero, which a number that is not finite survives.
        for tensor in (self.keys, self.values, self.position, self.length, self.pictures[count:]):
            tensor.zero_()
        self.tokens.fill_(self._decoder.pad_id)
        self.last.fill_(self._decoder.start_id)
        self.has_ended[:count].fill_(False)
        self.has_ended[count:].fill_(True)

    def step(self) -> None:
        """Write the next word of each caption that has not ended; nothing here waits for the device."""
        decoder = self._decoder
        self.length.add_((~self.has_ended).any())
        chosen = decoder.next_scores(self.last, self, self.pictures).argmax(dim=-1)
        # A `where` with a number in it would copy that to the device, which a recording refuses.
        chosen = chosen.masked_fill(self.has_ended, decoder.pad_id)
        self.tokens.index_copy_(1, self.position, chosen.unsqueeze(1))
        self.has_ended.logical_or_(chosen == decoder.end_id)
        self.last.copy_(chosen)
        # Whoever records a step runs it some times first, be there so many places or not.
        self.position.add_(1).clamp_(max=len(self._places) - 1)

    def embedded(self, positions: torch.Tensor) -> torch.Tensor:
        return positions.index_select(0, self.position)

    def add(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> Seen:
        self.keys[layer].index_copy_(2, self.position, keys.unsqueeze(2))
        self.values[layer].index_copy_(2, self.position, values.unsqueeze(2))
        mask = (self._places <= self.position).view(1, 1, 1, -1)
        return Seen(self.keys[layer], self.values[layer], mask)

    def look(self) -> tuple[int, bool]:
        """How many words the longest caption has so far, and whether all have ended; this waits for the device."""
        length, ended = torch.stack([self.length[0], self.has_ended.all().long()]).tolist()
        return int(length), bool(ended)


class StaticGreedyDecoder:
    """Captions of at most `max_tokens` for batches of at most `rows` pictures on an accelerator.

    It uses the weights of `decoder`, the one of a BlipForConditionalGeneration. `record` makes a step of a word fast;
    where it fails, words are computed as they come, which the log says once. One batch is decoded at a time.
    """

    def __init__(self, decoder: Any, rows: int, max_tokens: int, record: Record | None = None) -> None:
        self._decoder = BlipDecoder(decoder)
        self._rows, self._max_tokens = rows, max_tokens
        self._record = record
        self._words: _Words | None = None
        self._steps: dict[int, tuple[_Words, Step]] = {}
        self._lock = threading.Lock()

    @torch.inference_mode()
    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Token ids of (n, at most max_tokens) for encoded pictures of (n, patches, width), padded after the end."""
        with self._lock:
            words, step = self._prepared(pictures)
            words.begin(pictures)
            length, has_ended = 0, False
            for word in range(1, self._max_tokens + 1):
                step()
                if word % LOOK_WORDS == 0 or word == self._max_tokens:
                    length, has_ended = words.look()
                if has_ended:
                    break
            return words.tokens[: len(pictures), :length].clone()

    def _prepared(self, pictures: torch.Tensor) -> tuple[_Words, Step]:
        """The state and the step for a batch of this size: the next power of two, `rows` at most."""
        rows = min(self._rows, 1 << (len(pictures) - 1).bit_length())
        if rows not in self._steps:
            if self._words is None:
                self._words = _Words(
                    self._decoder, pictures.new_zeros((self._rows, *pictures.shape[1:])), self._max_tokens
                )
            words = self._words.first(rows)
            words.begin(pictures)
            self._steps[rows] = words, self._recorded(words.step)
        return self._steps[rows]

    def _recorded(self, step: Step) -> Step:
        if self._record is None:
            return step
        try:
            return self._record(step)
        except RuntimeError as error:  # CUDA's errors are of this class
            if is_out_of_memory(error):
                raise
            self._record = None
            reason = str(error).partition("\n")[0]
            log.warning("captions are computed without a CUDA graph, which is slower: %s", reason)
            return step


def checked_decoder(
    decoder: Any, encoded: torch.Tensor, rows: int, max_tokens: int, record: Record | None
) -> StaticGreedyDecoder:
    """The decoder of a model, with recorded steps if those write for a picture that is `encoded`, (1, patches, width),
    what steps that are computed as they come do.
    """
    plain = StaticGreedyDecoder(decoder, rows, max_tokens)
    if record is None:
        return plain
    recorded = StaticGreedyDecoder(decoder, rows, max_tokens, record)
    right = StaticGreedyDecoder(decoder, 1, max_tokens)(encoded)
    # Twice, because the first run has recorded.
    if all(torch.equal(recorded(encoded), right) for _ in range(2)):
        return recorded
    log.warning("captions are computed without a CUDA graph, which is slower: one gives other words")
    return plain
