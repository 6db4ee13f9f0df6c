"""The vision towers of Hugging Face's CLIP and BLIP without the work that their outputs do not need.

The weights are the same, and the results are equal except for rounding; a test compares them with the original models.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from workers.inference.precision import sharing_copy

# quick_gelu(x) = x * sigmoid(1.702 x), the activation of CLIP (Hendrycks & Gimpel 2016, section 2).
_QUICK_GELU = 1.702


def trimmed_clip(model: Any) -> Any:
    """A CLIPModel with the weights of this one: the same features, of the pictures' last layer the first token only."""
    trimmed = sharing_copy(model)
    layers = trimmed.vision_model.encoder.layers
    for layer in layers:
        if layer.mlp.config.hidden_act == "quick_gelu":
            layer.mlp.activation_fn = QuickGelu()
    layers[-1] = FirstTokenLayer(layers[-1])
    return trimmed


def trimmed_blip(vision: Any) -> Any:
    """A BlipVisionModel with the weights of this one: the same outputs, no matrix of attention weights in memory."""
    trimmed = sharing_copy(vision)
    for layer in trimmed.encoder.layers:
        layer.self_attn = FusedAttention(layer.self_attn)
    return trimmed


class FirstTokenLayer(nn.Module):
    """A CLIPEncoderLayer that computes the first token only; it replaces the last layer.

    The embedding depends only on the first token of the last layer: there the other tokens are needed as keys and
    values, but not as queries and not in the MLP. This saves 7 % of a ViT-B/32.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, hidden_states: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        """Tokens of (n, tokens, width) to (n, 1, width)."""
        layer, attention = self.layer, self.layer.self_attn
        first = hidden_states[:, :1]
        normed = layer.layer_norm1(hidden_states)
        attended = F.scaled_dot_product_attention(
            _heads(attention.q_proj(normed[:, :1]), attention.num_heads),
            _heads(attention.k_proj(normed), attention.num_heads),
            _heads(attention.v_proj(normed), attention.num_heads),
            scale=attention.scale,
        )
        first = first + attention.out_proj(attended.transpose(1, 2).reshape(first.shape))
        output: torch.Tensor = first + layer.mlp(layer.layer_norm2(first))
        return output


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
            _heads(query, self.num_heads), _heads(key, self.num_heads), _heads(value, self.num_heads), scale=self.scale
        )
        output: torch.Tensor = self.projection(attended.transpose(1, 2).reshape(hidden_states.shape))
        return output, None


class QuickGelu(nn.Module):
    """The activation of CLIP with one array of its own in place of three."""

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        """The same shape. The factor is not part of the weights before it: float16 would overflow earlier."""
        return hidden_states.mul(_QUICK_GELU).sigmoid_().mul_(hidden_states)


def _heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)
