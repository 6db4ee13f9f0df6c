"""The vision towers of Hugging Face's CLIP and BLIP without the work that their outputs do not need.

The weights are the same, and the results are equal except for rounding; a test compares them with the original models.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

# quick_gelu(x) = x * sigmoid(1.702 x), the activation of CLIP (Hendrycks & Gimpel 2016, section 2).
_QUICK_GELU = 1.702


def trim_clip(vision: Any) -> None:
    """Change a CLIPVisionModel in place: the same `pooler_output`, `last_hidden_state` for the first token only."""
    for layer in vision.encoder.layers:
        if layer.mlp.config.hidden_act == "quick_gelu":
            _fold_quick_gelu(layer.mlp)
    vision.encoder.layers[-1] = FirstTokenLayer(vision.encoder.layers[-1])


def trim_blip(vision: Any) -> None:
    """Change a BlipVisionModel in place: the same outputs, but no matrix of attention weights in memory."""
    for layer in vision.encoder.layers:
        layer.self_attn = FusedAttention(layer.self_attn)


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


class _SiluInPlace(nn.Module):
    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        return F.silu(hidden_states, inplace=True)


def _heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def _fold_quick_gelu(mlp: Any) -> None:
    # quick_gelu(x) = silu(1.702 x) / 1.702, and the factors become part of the weights before and after it: one pass
    # over the memory instead of three.
    with torch.no_grad():
        mlp.fc1.weight.mul_(_QUICK_GELU)
        mlp.fc1.bias.mul_(_QUICK_GELU)
        mlp.fc2.weight.div_(_QUICK_GELU)
    mlp.activation_fn = _SiluInPlace()
