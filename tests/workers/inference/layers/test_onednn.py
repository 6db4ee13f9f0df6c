"""Linear layers in float32 by oneDNN: the same results and weights, and torch's own where that is missing."""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from workers.inference.layers.onednn import OneDnnLinear, by_onednn, is_faster, linear_layers

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="this torch has no oneDNN")


@pytest.fixture(autouse=True)
def asked_anew() -> Iterator[None]:
    """What the processor has answered is not kept from test to test."""
    is_faster.cache_clear()
    yield
    is_faster.cache_clear()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 96), (7, 96), (3, 5, 96)])
def test_the_results_are_those_of_the_layer_but_for_rounding(shape: tuple[int, ...], bias: bool) -> None:
    torch.manual_seed(0)
    layer, states = nn.Linear(96, 130, bias=bias), torch.randn(shape)
    with torch.inference_mode():
        found, right = OneDnnLinear(layer)(states), layer(states)
    assert found.shape == right.shape
    assert torch.allclose(found, right, rtol=1e-4, atol=1e-5)


def test_other_types_of_numbers_go_the_way_of_torch() -> None:
    layer = nn.Linear(64, 32).to(torch.bfloat16)
    states = torch.randn(4, 64, dtype=torch.bfloat16)
    assert torch.equal(OneDnnLinear(layer)(states), layer(states))


def test_a_model_is_copied_with_the_same_weights_and_keeps_its_own_layers() -> None:
    model = nn.Sequential(nn.Linear(8, 8), nn.GELU(), nn.Sequential(nn.Linear(8, 4, bias=False)))
    copied = by_onednn(model)
    for each, kind in ((copied, OneDnnLinear), (model, nn.Linear)):
        assert [type(each.get_submodule(name)) for name in ("0", "2.0")] == [kind, kind]
    assert [weight.data_ptr() for weight in copied.parameters()] == [weight.data_ptr() for weight in model.parameters()]
    assert linear_layers(copied) == linear_layers(model) == ["0", "2.0"]
    states = torch.randn(3, 8)
    with torch.inference_mode():
        assert torch.allclose(copied(states), model(states), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("error", [AttributeError("no such operator"), RuntimeError("not on this processor")])
def test_where_the_operator_is_missing_torchs_own_is_taken(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_self: OneDnnLinear, _states: torch.Tensor) -> torch.Tensor:
        raise error

    monkeypatch.setattr(OneDnnLinear, "forward", missing)
    assert is_faster() is False
