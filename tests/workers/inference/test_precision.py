"""The precision of a model: what is faster and computes nearly the same."""

import copy
from collections.abc import Iterator

import pytest
import torch
from torch import nn

from settings.errors import WrongUse
from workers.inference import precision
from workers.inference.precision import (
    MIN_SPEEDUP,
    SAME_IN_HALF,
    Precise,
    converted,
    exact_float32,
    fastest_seconds,
    half_precision,
    in_precision,
    sharing_copy,
)
from workers.inference.self_check import difference

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def ampere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A CPU and a GPU that both have bfloat16, whatever this machine has; TF32 is as it was after each test."""
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    before = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(before)


def linear(weight: float = 1.0) -> nn.Linear:
    """A layer that multiplies two numbers by `weight`."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data = torch.eye(2) * weight
    return layer


def run(model: nn.Module) -> torch.Tensor:
    """The layer's results for two numbers that fit every precision."""
    result: torch.Tensor = model(torch.tensor([[3.0, 300.0]], dtype=next(model.parameters()).dtype)).detach()
    return result


def compare(model: nn.Module) -> str:
    """Whether the results have the direction of the two numbers."""
    return difference(run(model), torch.tensor([[3.0, 300.0]]), SAME_IN_HALF)


def compare_turned(model: nn.Module) -> str:
    """The same for a layer that turns the two numbers round."""
    return difference(run(model).flip(-1), torch.tensor([[3.0, 300.0]]), SAME_IN_HALF)


def unmeasured(model: nn.Module) -> float:
    """A measurement that nobody may ask for."""
    raise AssertionError("measured")


def picked(setting: str, device: torch.device, model: nn.Module | None = None) -> Precise:
    """What a model that must not be measured runs in."""
    return in_precision(setting, device, model or linear(), compare, unmeasured)


@pytest.mark.parametrize("name", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("device", [CPU, CUDA])
def test_a_precision_that_is_named_is_taken_unmeasured(name: str, device: torch.device) -> None:
    precise = picked(name, device)
    assert precise.dtype == getattr(torch, name) == precise.model.weight.dtype
    assert precise.note == ""


@pytest.mark.parametrize(
    ("capability", "half"), [((9, 0), torch.bfloat16), ((8, 0), torch.bfloat16), ((7, 5), torch.float16)]
)
def test_a_gpu_computes_in_half_precision_unmeasured(
    capability: tuple[int, int], half: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert half_precision(CUDA) == half == picked("auto", CUDA).dtype


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_a_precision_that_computes_something_else_is_not_taken(
    device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = linear()
    precise = in_precision("auto", device, model, compare_turned, unmeasured)
    assert precise.dtype == torch.float32
    assert precise.model is model
    assert precise.note == "it runs in float32, because bfloat16 gives a cosine of 0.020 to the right result"


def test_float16_that_overflows_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    precise = picked("auto", CUDA, linear(1000))
    assert precise.dtype == torch.float32
    assert precise.note == "it runs in float32, because float16 gives numbers that are not finite"


def test_float16_that_overflows_is_wrong_use_where_it_is_named() -> None:
    with pytest.raises(WrongUse, match=r'gpu\.dtype = "float16": here it gives numbers that are not finite; set it to'):
        picked("float16", CPU, linear(1000))


def test_a_named_precision_that_computes_something_else_is_taken_and_told() -> None:
    model = linear()
    precise = in_precision("bfloat16", CPU, model, compare_turned, unmeasured)
    assert precise.dtype == torch.bfloat16
    assert precise.note == "bfloat16 gives a cosine of 0.020 to the right result"


def test_without_bfloat16_in_hardware_a_cpu_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: False)
    model = linear()
    assert picked("auto", CPU, model) == Precise(model, torch.float32)


@pytest.mark.parametrize(("seconds", "is_taken"), [(1.0, True), (2.0 / MIN_SPEEDUP, False), (3.0, False)])
def test_on_a_cpu_a_lower_precision_must_be_clearly_faster(seconds: float, is_taken: bool) -> None:
    def measured(model: nn.Module) -> float:
        return seconds if next(model.parameters()).dtype == torch.bfloat16 else 2.0

    model = linear()
    precise = in_precision("auto", CPU, model, compare, measured)
    assert precise.dtype == (torch.bfloat16 if is_taken else torch.float32)


@pytest.mark.parametrize(("device", "expected"), [(CPU, "highest"), (CUDA, "high")])
def test_float32_on_a_gpu_uses_tf32(device: torch.device, expected: str) -> None:
    torch.set_float32_matmul_precision("highest")
    assert picked("float32", device).dtype == torch.float32
    assert torch.get_float32_matmul_precision() == expected


def test_what_others_are_compared_with_is_computed_without_tf32() -> None:
    torch.set_float32_matmul_precision("high")
    with exact_float32():
        assert torch.get_float32_matmul_precision() == "highest"
    assert torch.get_float32_matmul_precision() == "high"


def test_a_copy_in_another_precision_leaves_the_weights_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = copy.deepcopy(model.state_dict())
    lower = converted(model, torch.bfloat16)
    assert {name: value.dtype for name, value in lower.state_dict().items()} == {
        name: torch.bfloat16 if value.is_floating_point() else value.dtype for name, value in before.items()
    }
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_weights_that_are_one_stay_one_in_copies() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    for copied in (converted(model, torch.bfloat16), sharing_copy(model)):
        assert copied[0].weight is copied[1].weight
    assert sharing_copy(model)[0].weight is model[0].weight
    assert sharing_copy(model)[0] is not model[0]


@pytest.mark.parametrize(("long_seconds", "runs"), [(0.0, 1), (1e9, 3)])
def test_a_long_run_is_not_measured_again(long_seconds: float, runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "LONG_SECONDS", long_seconds)
    ran: list[int] = []
    fastest_seconds(lambda: ran.append(1), CPU)
    assert len(ran) == runs
