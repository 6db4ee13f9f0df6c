"""The vision tower of Hugging Face's BLIP by fused attention.

The weights are the same, and the results are equal except for rounding; a test compares them with the original model.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from workers.inference.layers.attention import split_heads
from workers.inference.precision import sharing_copy


def trimmed_blip(vision: Any) -> Any:
    """A BlipVisionModel with the weights of this one: the same outputs, no matrix of attention weights in memory."""
    trimmed = sharing_copy(vision)
    for layer in trimmed.encoder.layers:
        layer.self_attn = FusedAttention(layer.self_attn)
    return trimmed


class FusedAttention(nn.Module):
    """A BlipAttention by one fused kernel; without it, 577 tokens and 12 heads need 16 MB a picture and layer."""

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.qkv, self.projection = attention.qkv, attention.projection
        self.num_heads, self.scale = attention.num_heads, attention.scale

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        """Tokens of (n, tokens, width) to the same shape; no attention weights."""
        query, key, value = self.qkv(hidden_states).chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(
            split_heads(query, self.num_heads),
            split_heads(key, self.num_heads),
            split_heads(value, self.num_heads),
            scale=self.scale,
        )
        output: torch.Tensor = self.projection(attended.transpose(1, 2).reshape(hidden_states.shape))
        return output, None
