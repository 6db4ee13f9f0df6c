"""Linear layers by products of 8-bit numbers: a scale for each token, and one for each output of the weights.

Symmetric rounding of activations and weights, the scale of a token taken from its largest number when it is computed
(Dettmers et al. 2022, LLM.int8(), section 2.1, "vector-wise quantization"). What stands between the layers stays in
float32.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import torch
from torch import nn

from workers.inference.precision import sharing_copy

# The largest 8-bit number that has a negative counterpart.
LARGEST = 127
# Without VNNI a processor adds two products of 8 bits in 16, where they end at 32,767: with weights of 7 bits they fit.
LARGEST_OF_7_BITS = 63
# A token of zeros only has a scale too.
_LEAST = 1e-12


class Int8Linear(nn.Module):
    """The results of a Linear but for rounding; it holds the weights in a quarter of the bytes."""

    weight: torch.Tensor
    scale: torch.Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        largest = largest_weight()
        peaks = linear.weight.detach().abs().amax(dim=1).clamp_(min=_LEAST)
        rounded = (linear.weight.detach() * (largest / peaks).unsqueeze(1)).round_()
        self.register_buffer("weight", rounded.to(torch.int8).t())
        # Of the weights and of the tokens together, because one factor fewer is one pass fewer over the results.
        self.register_buffer("scale", peaks / (largest * LARGEST))
        self.bias = linear.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Tokens of (..., inputs) in float32 to (..., outputs) in float32."""
        tokens = states.reshape(-1, states.shape[-1])
        # Two passes for the largest and the smallest number take half of the time of one for the absolute values.
        highest, lowest = tokens.amax(dim=1, keepdim=True), tokens.amin(dim=1, keepdim=True)
        peaks = torch.maximum(highest, lowest.neg_()).clamp_(min=_LEAST)
        products = torch._int_mm(torch.mul(tokens, LARGEST / peaks).round_().to(torch.int8), self.weight)
        # In the memory of the whole numbers: a second array of that size costs more than the product itself saves.
        results = products.view(torch.float32)
        results.copy_(products)
        results.mul_(peaks).mul_(self.scale)
        if self.bias is not None:
            results.add_(self.bias)
        return results.view(*states.shape[:-1], -1)


@cache
def largest_weight() -> int:
    """The largest weight whose products this processor adds without loss.

    Asked of the processor itself: what it does follows from its flags and from what oneDNN makes of them.
    """
    extremes = torch.full((32, 64), LARGEST, dtype=torch.int8)
    exact = LARGEST * LARGEST * extremes.shape[1]
    return LARGEST if bool((torch._int_mm(extremes, extremes.t()) == exact).all()) else LARGEST_OF_7_BITS


def in_int8(model: nn.Module, names: Iterable[str]) -> Any:
    """A copy of a float32 model whose Linear layers of these names compute in 8 bits.

    All else is shared with the model, so that it takes no memory of its own.
    """
    copied = sharing_copy(model)
    for name in names:
        above, _, last = name.rpartition(".")
        setattr(copied.get_submodule(above), last, Int8Linear(copied.get_submodule(name)))
    return copied


@torch.inference_mode()
def noise_of_layers(model: nn.Module, names: Iterable[str], run: Callable[[nn.Module], object]) -> dict[str, float]:
    """Layer -> the share of noise in its results in 8 bits, while `run` computes the float32 model."""
    noise = dict.fromkeys(names, 0.0)

    def listen(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...], torch.Tensor], None]:
        def hear(module: nn.Module, inputs: tuple[torch.Tensor, ...], right: torch.Tensor) -> None:
            assert isinstance(module, nn.Linear)
            found = Int8Linear(module)(inputs[0])
            noise[name] = max(noise[name], float((found - right).norm() / right.norm().clamp(min=_LEAST)))

        return hear

    hooks = [model.get_submodule(name).register_forward_hook(listen(name)) for name in noise]
    try:
        run(model)
    finally:
        for hook in hooks:
            hook.remove()
    return noise
