"""Greedy decoding for BLIP on a CPU: the results of `generate` with num_beams=1, for less work.

The keys and values of the tokens are cached in memory that is allocated once, and pictures whose captions have ended
leave the batch.
"""

from typing import Any

import torch

from workers.inference.captioners.blip_decoder import BlipDecoder, Seen


class _GrowingCache:
    """Keys and values of so many tokens, of which those before `position` are known, and of pictures that may leave."""

    def __init__(self, decoder: BlipDecoder, pictures: torch.Tensor, max_tokens: int) -> None:
        shape = (len(pictures), decoder.heads, max_tokens, decoder.head_width)
        self.position = 0
        self._keys, self._values = (
            [torch.zeros(shape, dtype=decoder.dtype, device=pictures.device) for _ in range(decoder.layers)]
            for _ in range(2)
        )

    def embedded(self, positions: torch.Tensor) -> torch.Tensor:
        return positions[self.position]

    def add(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> Seen:
        all_keys, all_values, end = self._keys[layer], self._values[layer], self.position + 1
        all_keys[:, :, self.position], all_values[:, :, self.position] = keys, values
        return Seen(all_keys[:, :, :end], all_values[:, :, :end])

    def select(self, rows: torch.Tensor) -> None:
        """Keep these pictures alone."""
        # A layer at a time, so that two of them never exist at once.
        for tensors in (self._keys, self._values):
            for layer, tensor in enumerate(tensors):
                tensors[layer] = tensor[rows]


class GreedyDecoder:
    """The decoder of a BlipForConditionalGeneration; it uses the weights of the model."""

    def __init__(self, decoder: Any) -> None:
        self._decoder = BlipDecoder(decoder)

    def __call__(self, pictures: torch.Tensor, max_tokens: int) -> torch.Tensor:
        """Token ids of (n, at most max_tokens) for encoded pictures of (n, patches, width), padded after the end."""
        decoder, count, device = self._decoder, len(pictures), pictures.device
        pictures = pictures.to(decoder.picture_dtype)
        cache = _GrowingCache(decoder, pictures, max_tokens)
        tokens = torch.full((count, max_tokens), decoder.pad_id, dtype=torch.long, device=device)
        # The pictures still in the batch: their rows in `tokens`, whether each is unfinished, and its last token.
        rows = torch.arange(count, device=device)
        is_unfinished = torch.ones(count, dtype=torch.bool, device=device)
        last = torch.full((count,), decoder.start_id, dtype=torch.long, device=device)
        for position in range(max_tokens):
            cache.position = position
            last = decoder.next_scores(last, cache, pictures).argmax(dim=-1)
            tokens[rows[is_unfinished], position] = last[is_unfinished]
            is_unfinished &= last != decoder.end_id
            unfinished = int(is_unfinished.sum())
            if unfinished == 0:
                return tokens[:, : position + 1]
            # Halving the batch copies each cache about once in all; removing single rows would copy it many times.
            if 2 * unfinished <= len(rows):
                selected = is_unfinished.nonzero().squeeze(1)
                cache.select(selected)
                rows, last, pictures = rows[selected], last[selected], pictures[selected]
                is_unfinished = is_unfinished[selected]
        return tokens

    def scores(self, pictures: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """The scores of all words, (n, length, vocabulary), at each place of captions (n, length) that are given."""
        count, length = tokens.shape
        pictures = pictures.to(self._decoder.picture_dtype)
        cache = _GrowingCache(self._decoder, pictures, length)
        starts = torch.full((count, 1), self._decoder.start_id, dtype=torch.long, device=pictures.device)
        shown = torch.cat([starts, tokens[:, :-1]], dim=1)
        columns = []
        for position in range(length):
            cache.position = position
            columns.append(self._decoder.next_scores(shown[:, position], cache, pictures))
        return torch.stack(columns, dim=1)
