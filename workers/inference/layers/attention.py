"""Attention as our faster layers compute it, and what they share."""

from functools import cache

import torch
import torch.nn.functional as F

from workers.inference.precision import MIN_SPEEDUP, fastest_seconds

# The scores of so many tokens for each other that are held at a time: 8 MB in bfloat16.
MOST_SCORES = 4_194_304
# Pictures, heads, tokens and width of a head of BLIP's tower, the largest that is computed here.
TOWER = (1, 12, 577, 64)


def split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    """Tokens of (n, tokens, width) to (n, heads, tokens, width of a head), as attention takes them."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)


def attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float) -> torch.Tensor:
    """`scaled_dot_product_attention` of tensors (n, heads, tokens, width of a head), without a mask.

    On processors where torch's fused kernel takes as long in bfloat16 as in float32, bfloat16 goes by plain products.
    """
    if query.device.type == "cpu" and query.dtype == torch.bfloat16 and products_are_faster():
        return _by_products(query, keys, values, scale)
    return F.scaled_dot_product_attention(query, keys, values, scale=scale)


def _by_products(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, scale: float) -> torch.Tensor:
    of_a_picture = query.shape[1] * query.shape[2] * keys.shape[2]
    size = max(1, MOST_SCORES // of_a_picture)
    parts = [
        torch.matmul(torch.matmul(some * scale, others.transpose(2, 3)).softmax(dim=-1), read)
        for some, others, read in zip(query.split(size), keys.split(size), values.split(size), strict=True)
    ]
    return torch.cat(parts) if len(parts) > 1 else parts[0]


@cache
def products_are_faster() -> bool:
    """Whether plain products beat the fused kernel in bfloat16 here. It costs milliseconds."""
    states = torch.ones(TOWER, dtype=torch.bfloat16)

    def fused() -> torch.Tensor:
        return F.scaled_dot_product_attention(states, states, states)

    with torch.inference_mode():
        plain = fastest_seconds(lambda: _by_products(states, states, states, 0.125), states.device)
        return plain * MIN_SPEEDUP < fastest_seconds(fused, states.device)
