"""The probe: which precision it takes, and which layers it leaves in float32. The times are told and not measured."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from workers.inference.layers.int8 import Int8Linear
from workers.inference.layers.onednn import linear_layers
from workers.inference.precision import MIN_SPEEDUP
from workers.inference.probe import probe as probe_module
from workers.inference.probe.fidelity import Fidelity, of_embeddings
from workers.inference.probe.probe import INT8, Subject, build, is_worth_it, probe
from workers.inference.probe.rows import TAKEN, Answer, Row

Model = Callable[..., nn.Module]


@pytest.fixture(autouse=True)
def bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that has bfloat16, whatever this one has."""
    monkeypatch.setattr(probe_module, "has_fast_bfloat16", lambda: True)


def precision_of(model: nn.Module) -> str:
    """The precision of a model of these tests."""
    if any(isinstance(module, Int8Linear) for module in model.modules()):
        return INT8
    return str(next(model.parameters()).dtype).removeprefix("torch.")


def rows_of(model: nn.Module, count: int) -> NDArray[np.float32]:
    """What the model makes of some tokens, each row of length one."""
    torch.manual_seed(1)
    found = model(torch.randn(count, 64).to(next(model.parameters()).dtype)).float()
    return np.asarray(nn.functional.normalize(found, dim=-1), dtype=np.float32)


def subject(
    model: nn.Module, results: Callable[[nn.Module, int], NDArray[np.float32]] = rows_of, **seconds: float
) -> Subject[NDArray[np.float32]]:
    """A subject whose precisions take so many seconds."""
    return Subject(lambda tried: seconds[precision_of(tried)], results, of_embeddings, {INT8: linear_layers(model)})


def linear(module: nn.Module) -> nn.Linear:
    """A module that is known to be a Linear."""
    assert isinstance(module, nn.Linear)
    return module


def plain() -> nn.Sequential:
    """A model that every precision computes well."""
    torch.manual_seed(0)
    return nn.Sequential(*[nn.Linear(64, 64) for _ in range(8)])


def spoilt() -> nn.Sequential:
    """A model with one layer that 8 bits spoil: of its tokens one number is huge, and the others are what counts."""
    model = plain()
    third, fourth = linear(model[3]), linear(model[4])
    with torch.no_grad():
        third.weight[5] *= 3e4
        third.bias[5] = 0
        fourth.weight[:, 5] = 0
    return model


def states(rows: list[Row]) -> dict[str, str]:
    """Precision -> whether it is taken, or why not."""
    return {row.precision: row.state for row in rows}


def fidelity_of(precision: str, rows: Sequence[Row]) -> Fidelity:
    (found,) = (row.fidelity for row in rows if row.precision == precision)
    assert found.median is not None
    return found


def test_the_fastest_precision_that_is_near_enough_is_taken() -> None:
    model = plain()
    answer, rows = probe(model, subject(model, float32=2.0, bfloat16=1.5, int8=1.0))
    assert answer == Answer(INT8, fidelity=fidelity_of(INT8, rows))
    assert states(rows) == {"float32": "slower", "bfloat16": "slower than int8", INT8: TAKEN}
    worst = next(row.fidelity.worst for row in rows if row.precision == INT8)
    assert worst is not None
    assert 0.98 <= worst < 1
    assert precision_of(build(model, subject(model), answer)) == INT8


@pytest.mark.parametrize(
    ("seconds", "taken"), [(2.0 / MIN_SPEEDUP - 0.01, INT8), (2.0 / MIN_SPEEDUP + 0.01, "float32")]
)
def test_a_precision_must_be_clearly_faster(seconds: float, taken: str) -> None:
    model = plain()
    answer, rows = probe(model, subject(model, float32=2.0, bfloat16=3.0, int8=seconds))
    assert answer.precision == taken
    assert states(rows)["bfloat16"] == "not 15 % faster"


def test_the_layer_that_spoils_the_results_stays_in_float32() -> None:
    model = spoilt()
    answer, rows = probe(model, subject(model, float32=2.0, bfloat16=3.0, int8=1.0))
    assert answer == Answer(INT8, float32_layers=("4",), fidelity=fidelity_of(INT8, rows))
    kept = build(model, subject(model), answer)
    assert type(kept[4]) is nn.Linear
    assert isinstance(kept[3], Int8Linear)


def test_what_is_near_enough_only_with_too_many_layers_in_float32_is_not_taken() -> None:
    model = plain()

    def other(tried: nn.Module, count: int) -> NDArray[np.float32]:
        found = rows_of(tried, count)
        return found[::-1].copy() if precision_of(tried) == INT8 else found

    answer, rows = probe(model, subject(model, other, float32=2.0, bfloat16=1.5, int8=1.0), thorough=True)
    assert answer == Answer("bfloat16", fidelity=fidelity_of("bfloat16", rows))
    assert states(rows)[INT8].startswith("a median cosine of ")


def test_results_that_are_no_numbers_are_not_near_enough() -> None:
    right = np.eye(4, dtype=np.float32)
    assert of_embeddings(right, right).fault == ""
    assert of_embeddings(right, right * np.nan).fault == "a median cosine of nan"


def test_layers_that_cannot_compute_in_8_bits_are_told_and_not_taken() -> None:
    class Reads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(64, 64)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens @ self.inner.weight.T

    model = Reads()

    def seconds(tried: nn.Module) -> float:
        rows_of(tried, 2)
        return 1.0

    asked = Subject(seconds, rows_of, of_embeddings, {INT8: linear_layers(model)})
    answer, rows = probe(model, asked)
    assert answer == Answer("float32")
    assert states(rows)[INT8].startswith("it fails: RuntimeError")


def test_a_small_model_is_not_probed() -> None:
    assert not is_worth_it(plain())
    assert is_worth_it(nn.Linear(5_000, 5_000))
