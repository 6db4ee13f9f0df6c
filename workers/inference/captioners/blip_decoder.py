"""One word of BLIP's text decoder: the scores of all words at the next place of some captions, for less work.

The keys and values of the picture are never computed: with keys K = X A and values V = X B of the encoded picture X,
q K' = (q A') X' and p V = (p X) B, so both products are applied to the query of one token instead. Up to some sixty
tokens that is less work than twelve layers of keys and values for 577 patches, and it saves 42 MB a picture. These
products are in the type of the weights A and B, which may be another than that of the layers around them.
"""

from typing import Any, NamedTuple, Protocol

import torch
import torch.nn.functional as F

from workers.inference.layers.attention import attend


class Seen(NamedTuple):
    """What the last token looks at in one layer: the keys and values of tokens, each (n, heads, tokens, width of a
    head), and which of them count, (1, 1, 1, tokens) as bool; None for all.
    """

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor | None = None


class TokenCache(Protocol):
    """The keys and values of the tokens so far, in all layers."""

    def embedded(self, positions: torch.Tensor) -> torch.Tensor:
        """The row of the embeddings of positions, (positions, width), for the place that is next."""

    def add(self, layer: int, keys: torch.Tensor, values: torch.Tensor) -> Seen:
        """Keep those of the last token in a layer, each (n, heads, width of a head); returns what it looks at."""


class BlipDecoder:
    """The decoder of a BlipForConditionalGeneration; it uses the weights of the model."""

    def __init__(self, decoder: Any) -> None:
        config = decoder.config
        self._embeddings, self._layers, self._head = decoder.bert.embeddings, decoder.bert.encoder.layer, decoder.cls
        self.heads = int(config.num_attention_heads)
        self.layers = len(self._layers)
        self.head_width = int(self._layers[0].attention.self.attention_head_size)
        # The type of words, and that in which pictures are read.
        self.dtype: torch.dtype = self._embeddings.word_embeddings.weight.dtype
        self.picture_dtype: torch.dtype = self._layers[0].crossattention.self.key.weight.dtype
        self.start_id, self.end_id, self.pad_id = config.bos_token_id, config.sep_token_id, config.pad_token_id

    def next_scores(self, last: torch.Tensor, cache: TokenCache, pictures: torch.Tensor) -> torch.Tensor:
        """The scores (n, vocabulary) after the last tokens (n,) of captions of encoded pictures (n, patches, width).

        The pictures are in `picture_dtype`.
        """
        positions = self._embeddings.position_embeddings.weight
        states = self._embeddings.word_embeddings(last) + cache.embedded(positions)
        states = self._embeddings.LayerNorm(states)
        for number, layer in enumerate(self._layers):
            attention = layer.attention.self
            keys, values = self._split_heads(attention.key(states)), self._split_heads(attention.value(states))
            states = self._self_attention(layer.attention, states, cache.add(number, keys, values))
            states = self._cross_attention(layer.crossattention, states, pictures)
            states = layer.feed_forward_chunk(states)
        scores: torch.Tensor = self._head(states)
        return scores

    def _self_attention(self, attention: Any, states: torch.Tensor, seen: Seen) -> torch.Tensor:
        """Attention of the last token to all tokens so far."""
        query = self._split_heads(attention.self.query(states)).unsqueeze(2)
        attended = F.scaled_dot_product_attention(query, seen.keys, seen.values, seen.mask)
        output: torch.Tensor = attention.output(attended.reshape(states.shape), states)
        return output

    def _cross_attention(self, attention: Any, states: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        """Attention of the last token to the picture; all heads use the patches themselves as keys and values."""
        inner = attention.self
        # The bias of the keys is left out: it adds the same number for every patch, which softmax ignores.
        keys, values = (linear.weight.unflatten(0, (self.heads, -1)) for linear in (inner.key, inner.value))
        query = self._split_heads(inner.query(states).to(pictures.dtype)).transpose(0, 1)
        query = torch.bmm(query, keys).transpose(0, 1).unsqueeze(1)
        patches = pictures.unsqueeze(1)
        attended = attend(query, patches, patches, keys.shape[1] ** -0.5).squeeze(1)
        attended = torch.bmm(attended.transpose(0, 1), values.transpose(1, 2)).transpose(0, 1)
        mixed = attended.reshape(states.shape) + inner.value.bias
        output: torch.Tensor = attention.output(mixed.to(states.dtype), states)
        return output

    def _split_heads(self, states: torch.Tensor) -> torch.Tensor:
        return states.unflatten(-1, (self.heads, -1))
