"""The vision tower of Hugging Face's BLIP by fused attention.

The weights are the same, and the results are equal except for rounding; a test compares them with the original model.
"""

from typing import Any

import torch
from torch import nn

from workers.inference.layers.attention import attend, split_heads
from workers.inference.precision import sharing_copy


def trimmed_blip(vision: Any) -> Any:
    """A BlipVisionModel with the weights of this one: the same outputs, no matrix of attention weights in memory."""
    trimmed = sharing_copy(vision)
    for layer in trimmed.encoder.layers:
        layer.self_attn = FusedAttention(layer.self_attn)
    return trimmed


class FusedAttention(nn.Module):
    """A BlipAttention by one fused kernel; without it, 577 tokens and 12 heads need 16 MB a picture and layer.

    `products` is the type in which tokens are compared and mixed, None for that of the layers around it.
    """

    products: torch.dtype | None = None

    def __init__(self, attention: Any) -> None:
        super().__init__()
        self.qkv, self.projection = attention.qkv, attention.projection
        self.num_heads, self.scale = attention.num_heads, attention.scale

    def forward(self, hidden_states: torch.Tensor, **_: Any) -> tuple[torch.Tensor, None]:
        """Tokens of (n, tokens, width) to the same shape; no attention weights."""
        tokens = self.qkv(hidden_states).to(self.products or hidden_states.dtype)
        query, keys, values = (split_heads(part, self.num_heads) for part in tokens.chunk(3, dim=-1))
        attended = attend(query, keys, values, self.scale).transpose(1, 2).reshape(hidden_states.shape)
        output: torch.Tensor = self.projection(attended.to(hidden_states.dtype))
        return output, None


def attend_in(dtype: torch.dtype, vision: nn.Module) -> None:
    """Let a trimmed tower compare and mix its tokens in another type than that of its layers, in place."""
    for module in vision.modules():
        if isinstance(module, FusedAttention):
            module.products = dtype


def read_pictures_in(dtype: torch.dtype, text_decoder: Any) -> None:
    """Let a text decoder read pictures in another type than that of its layers, in place."""
    for layer in text_decoder.bert.encoder.layer:
        for linear in (layer.crossattention.self.key, layer.crossattention.self.value):
            linear.weight = nn.Parameter(linear.weight.detach().to(dtype), requires_grad=False)
