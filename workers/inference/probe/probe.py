"""Asks which precision of a model is fast and right here: at least 15 % faster than float32, and as near as it must be.

Only on CPUs. The answer is kept, see kept.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from workers.inference.hardware import is_out_of_memory
from workers.inference.layers.int8 import in_int8, noise_of_layers
from workers.inference.precision import DTYPES, MIN_SPEEDUP, converted, has_fast_bfloat16
from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.rows import TAKEN, Answer, Row

FLOAT32, INT8, INT8_TOWER = "float32", "int8", "int8 for pictures alone"
# Few enough for seconds, enough for every kind of ground of pictures.py several times over.
PICTURES = 32
# Of them, for the noise of single layers.
SAMPLE = 4
# A smaller model takes less time for a picture than decoding it does, so nothing is gained, and it starts at once.
MIN_WEIGHTS = 20_000_000
# More layers in float32 than this share of them, and what is left is no int8.
MOST_KEPT = 0.25

Results = TypeVar("Results", NDArray[np.float32], list[str])


@dataclass(frozen=True)
class Subject(Generic[Results]):
    """A model that is probed, and how it is asked.

    `seconds` measures one picture of a batch, `results` computes the first `count` pictures of the built-in set,
    `fidelity` compares float32's results with others. `int8_layers` has the names of the layers of each int8
    precision, nothing where there is none; `around_int8` does in place what else belongs to a copy in one of them.
    """

    seconds: Callable[[nn.Module], float]
    results: Callable[[nn.Module, int], Results]
    fidelity: Callable[[Results, Results], Fidelity]
    int8_layers: dict[str, list[str]]
    around_int8: Callable[[Any, str], None] = lambda copied, precision: None


def is_worth_it(model: nn.Module) -> bool:
    """Whether a model is so large that another precision than the usual one may save time."""
    return sum(weight.numel() for weight in model.parameters()) >= MIN_WEIGHTS


def candidates(subject: Subject[Any]) -> list[str]:
    """The precisions besides float32 that this processor and this model may have."""
    return [*(["bfloat16"] if has_fast_bfloat16() else []), *subject.int8_layers]


def build(model: nn.Module, subject: Subject[Any], answer: Answer) -> Any:
    """The float32 model in the precision of an answer; raises LookupError for one that it cannot have."""
    if answer.precision == FLOAT32:
        return model
    if answer.precision in DTYPES:
        return converted(model, DTYPES[answer.precision])
    names = subject.int8_layers[answer.precision]
    copied = in_int8(model, [name for name in names if name not in answer.float32_layers])
    subject.around_int8(copied, answer.precision)
    return copied


@torch.inference_mode()
def probe(model: nn.Module, subject: Subject[Results], thorough: bool = False) -> tuple[Answer, list[Row]]:
    """The answer, and a row for each precision, float32 first.

    Only as much as the answer needs is compared; with `thorough` each precision that is fast enough is.
    """
    limit = subject.seconds(model)
    rows = {FLOAT32: Row(FLOAT32)}
    times: list[tuple[float, str]] = []
    for precision in candidates(subject):
        try:
            times.append((subject.seconds(build(model, subject, Answer(precision))), precision))
        except Exception as error:  # the library's own layers may do with a layer what ours does not know
            rows[precision] = Row(precision, state=_sentence(error))
    rows[FLOAT32] = Row(FLOAT32, 1000 * limit, state=TAKEN)
    fast = [(seconds, precision) for seconds, precision in times if not _too_slow(seconds, limit)]
    for seconds, precision in times:
        rows[precision] = Row(precision, 1000 * seconds, state=_too_slow(seconds, limit))
    answer = Answer(FLOAT32)
    right = subject.results(model, PICTURES) if fast else None
    for _, precision in sorted(fast):
        if answer.precision != FLOAT32 and not thorough:
            rows[precision] = replace(rows[precision], state=f"slower than {answer.precision}")
            continue
        assert right is not None
        tried, row = nearest(model, subject, precision, right, limit)
        rows[precision] = row
        if row.state:
            continue
        if answer.precision == FLOAT32:
            answer = tried
            rows[precision], rows[FLOAT32] = replace(row, state=TAKEN), replace(rows[FLOAT32], state="slower")
        else:
            rows[precision] = replace(row, state=f"slower than {answer.precision}")
    return answer, list(rows.values())


@torch.inference_mode()
def nearest(
    model: nn.Module, subject: Subject[Results], precision: str, right: Results, limit: float = float("inf")
) -> tuple[Answer, Row]:
    """A precision with as few layers in float32 as make it near enough; the state of its row says why it is not.

    It must compute a picture 15 % faster than `limit`, in seconds.
    """
    first: tuple[Answer, Row] | None = None
    for float32_layers in _more_and_more(model, subject, precision):
        answer = Answer(precision, float32_layers)
        tried = build(model, subject, answer)
        found = _fidelity(subject, right, tried)
        if first is not None and found.fault:
            continue
        seconds = subject.seconds(tried)
        slow = _too_slow(seconds, limit)
        if first is not None and slow:
            break
        row = Row(precision, 1000 * seconds, found, slow or found.fault)
        first = first or (replace(answer, fault=found.fault, fidelity=found), row)
        if not row.state:
            return replace(answer, fidelity=found), row
    assert first is not None
    return first


def _fidelity(subject: Subject[Results], right: Results, tried: nn.Module) -> Fidelity:
    """How near a model's results are: captions of a few pictures first, for one that differs is enough."""
    few = subject.fidelity(right[:SAMPLE], subject.results(tried, SAMPLE))
    if few.same is not None and few.fault:
        return few
    return subject.fidelity(right, subject.results(tried, PICTURES))


def _more_and_more(model: nn.Module, subject: Subject[Any], precision: str) -> Iterator[tuple[str, ...]]:
    """Layers to keep in float32: none, then the noisiest one, two, four and so on."""
    yield ()
    if precision in DTYPES:
        return
    noise = noise_of_layers(model, subject.int8_layers[precision], lambda run: subject.results(run, SAMPLE))
    ranked = sorted(noise, key=lambda name: -noise[name])
    count = 1
    while count <= MOST_KEPT * len(ranked):
        yield tuple(ranked[:count])
        count *= 2


def _too_slow(seconds: float, limit: float) -> str:
    return "" if seconds * MIN_SPEEDUP <= limit else "not 15 % faster"


def _sentence(error: Exception) -> str:
    if is_out_of_memory(error):
        raise error
    return f"it fails: {type(error).__name__}: {error}".splitlines()[0]
