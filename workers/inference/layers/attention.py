"""What the faster layers of all families share."""

import torch


def split_heads(states: torch.Tensor, heads: int) -> torch.Tensor:
    """Tokens of (n, tokens, width) to (n, heads, tokens, width of a head), as attention takes them."""
    return states.unflatten(-1, (heads, -1)).transpose(1, 2)
