"""Linear layers in float32 by oneDNN, where that is faster than what torch takes by itself.

torch's products of float32 go to MKL, which on AMD's processors keeps to AVX2; oneDNN takes AVX-512 where it is. The
results differ by rounding alone.
"""

from functools import cache
from typing import Any

import torch
from torch import nn

from workers.inference.precision import MIN_SPEEDUP, PRODUCT, fastest_seconds, sharing_copy


class OneDnnLinear(nn.Linear):
    """A Linear whose products of float32 are oneDNN's; it shares the weights that it is made from."""

    def __init__(self, linear: nn.Linear) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Tokens of (..., inputs) to (..., outputs), in the type of the weights."""
        if states.dtype != torch.float32:  # torch takes oneDNN for those by itself
            return super().forward(states)
        product: torch.Tensor = torch.ops.mkldnn._linear_pointwise(states, self.weight, self.bias, "none", [], "")
        return product


def by_onednn(model: nn.Module) -> Any:
    """A copy of a float32 model whose Linear layers are oneDNN's; it shares all weights with the model."""
    copied = sharing_copy(model)
    for name in linear_layers(copied):
        above, _, last = name.rpartition(".")
        setattr(copied.get_submodule(above), last, OneDnnLinear(copied.get_submodule(name)))
    return copied


def linear_layers(model: nn.Module) -> list[str]:
    """The names of the Linear layers of a model; other subclasses, whose weights others read, are left out."""
    return [name for name, module in model.named_modules() if type(module) in (nn.Linear, OneDnnLinear)]


@cache
def is_faster() -> bool:
    """Whether this processor multiplies float32 faster by oneDNN, in a layer of the size that a transformer has.

    False where this torch has no oneDNN. It costs milliseconds.
    """
    tokens, width, inner = PRODUCT
    usual, states = nn.Linear(width, inner), torch.ones(tokens, width)

    def seconds(layer: nn.Module) -> float:
        return fastest_seconds(lambda: layer(states), states.device, repeats=5)

    with torch.inference_mode():
        try:
            return seconds(OneDnnLinear(usual)) * MIN_SPEEDUP < seconds(usual)
        except (AttributeError, RuntimeError):  # there is no such operator, or it does not know this processor
            return False
