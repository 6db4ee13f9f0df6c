"""Linear layers in 8 bits: what they compute, which of them there are, and which are noisy."""

import pytest
import torch
from torch import nn

from workers.inference.layers import int8
from workers.inference.layers.int8 import Int8Linear, in_int8, largest_weight, noise_of_layers
from workers.inference.layers.onednn import linear_layers


def relative(found: torch.Tensor, right: torch.Tensor) -> float:
    """The length of the difference as a share of what is right."""
    return float((found - right).norm() / right.norm())


@pytest.fixture
def layer() -> nn.Linear:
    """A layer of the width of a small transformer, always the same."""
    torch.manual_seed(0)
    return nn.Linear(128, 96)


def without_bias(layer: nn.Linear) -> nn.Linear:
    """The same weights alone."""
    plain = nn.Linear(layer.in_features, layer.out_features, bias=False)
    plain.weight = layer.weight
    return plain


@pytest.mark.parametrize("shape", [(3, 50, 128), (7, 128), (1, 128)])
@torch.inference_mode()
def test_a_layer_in_8_bits_gives_nearly_the_same(shape: tuple[int, ...], layer: nn.Linear) -> None:
    states = torch.randn(shape)
    found = Int8Linear(layer)(states)
    assert found.dtype == torch.float32
    assert found.shape == layer(states).shape
    assert relative(found, layer(states)) < (0.02 if largest_weight() == 127 else 0.03)


@torch.inference_mode()
def test_a_token_with_huge_numbers_costs_the_others_nothing(layer: nn.Linear) -> None:
    states = torch.randn(5, 128)
    states[2] *= 10_000
    found, right = Int8Linear(layer)(states), layer(states)
    assert max(relative(found[row], right[row]) for row in range(5)) < 0.05


@torch.inference_mode()
def test_an_output_with_small_weights_is_as_near_as_one_with_large_ones(layer: nn.Linear) -> None:
    layer = without_bias(layer)
    layer.weight[0] *= 1e-4
    states = torch.randn(64, 128)
    assert relative(Int8Linear(layer)(states)[:, 0], layer(states)[:, 0]) < 0.05


@torch.inference_mode()
def test_tokens_and_weights_of_zeros_give_the_bias(layer: nn.Linear) -> None:
    assert torch.equal(Int8Linear(layer)(torch.zeros(2, 128)), layer.bias.expand(2, -1))
    layer.weight.zero_()
    assert torch.equal(Int8Linear(layer)(torch.randn(2, 128)), layer.bias.expand(2, -1))


@pytest.mark.parametrize("largest", [127, int8.LARGEST_OF_7_BITS])
@torch.inference_mode()
def test_the_largest_products_are_exact_with_the_weights_that_this_processor_gets(
    largest: int, layer: nn.Linear, monkeypatch: pytest.MonkeyPatch
) -> None:
    if largest > largest_weight():
        pytest.skip("this processor adds products of 8 bits in 16, so its weights never have 8")
    monkeypatch.setattr(int8, "largest_weight", lambda: largest)
    layer = without_bias(layer)
    layer.weight.fill_(0.5)
    assert torch.allclose(Int8Linear(layer)(torch.ones(4, 128)), torch.full((4, 96), 64.0), rtol=1e-5)


@torch.inference_mode()
def test_the_layers_that_are_named_compute_in_8_bits_and_the_model_keeps_its_own() -> None:
    model = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 64), nn.MultiheadAttention(64, 2))
    assert linear_layers(model) == ["0", "2"]  # attention reads the weights of its own layer
    found = in_int8(model, ["2"])
    assert isinstance(found[2], Int8Linear)
    assert type(found[0]) is type(model[2]) is nn.Linear
    assert found[0].weight is model[0].weight


def test_the_noisiest_layer_is_the_one_whose_tokens_have_outliers() -> None:
    torch.manual_seed(0)
    before, behind = nn.LayerNorm(64), nn.Linear(64, 64)
    with torch.no_grad():
        before.weight[3] = 2000.0  # one number of each token, and hardly any weight for it
        behind.weight[:, 3] = 1e-6
    model = nn.Sequential(nn.Linear(64, 64), before, behind, nn.Linear(64, 64))
    noise = noise_of_layers(model, linear_layers(model), lambda run: run.forward(torch.randn(20, 64)))
    assert max(noise, key=lambda name: noise[name]) == "2"
    assert noise["2"] > 10 * noise["0"] > 0
