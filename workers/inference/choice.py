"""How a loaded model is computed: by our faster form of it or by the library's, and in which precision."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from workers.checkpoints.lazy import Report, silent
from workers.inference.layers import onednn
from workers.inference.precision import Precise, exact_float32, in_precision
from workers.inference.probe import kept
from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.probe import INT8, PICTURES, Subject, build, is_worth_it, nearest, probe
from workers.inference.probe.rows import Answer
from workers.inference.self_check import fast_or_untouched, told

# Makes of a form of the model, in float32, what the probe is asked about.
MakeSubject = Callable[[nn.Module], Subject[Any]]


@dataclass(frozen=True)
class Choice:
    """The model that computes, the type of the numbers between its layers, the name of its precision, what a person
    should know of all that, and how near the probe found its results to those of float32, if it was asked.
    """

    model: Any
    dtype: torch.dtype
    precision: str
    notes: list[str]
    fidelity: Fidelity = field(default_factory=Fidelity)


@dataclass(frozen=True)
class Asked:
    """The precision that the setting `gpu.dtype` asks for; what else an answer of the probe depends on: "clip" or
    "blip", and the parts of a batch that are computed side by side; and who hears that the probe is asked.
    """

    dtype: str
    kind: str
    parts: int = 1
    report: Report = silent


@torch.inference_mode()
def choose(
    name: str,
    untouched: nn.Module,
    fast: Callable[[], nn.Module] | None,
    is_same: Callable[[nn.Module], str],
    is_nearly_same: Callable[[nn.Module], str],
    seconds: Callable[[nn.Module], float],
    asked: Asked,
    device: torch.device,
    subject: MakeSubject | None = None,
) -> Choice:
    """Choose for the checkpoint `name`, whose model as the library runs it is `untouched`, in float32 on `device`.

    `fast` makes our faster form of it, None where there is none. `is_same` compares a form in float32 with what is
    right, `is_nearly_same` one in a lower precision; both say what is wrong. `seconds` measures one batch. On a CPU the
    probe is asked about the `subject`, for models that are large enough. Raises WrongUse as `in_precision` does.
    """
    chosen, note = untouched, ""
    if fast is not None:
        with exact_float32():
            chosen, note = fast_or_untouched(untouched, fast, is_same)
    if device.type == "cpu" and is_worth_it(chosen) and onednn.is_faster():
        chosen, _ = fast_or_untouched(chosen, partial(onednn.by_onednn, chosen), is_same)
    has_probe = device.type == "cpu" and subject is not None
    if has_probe and (asked.dtype == INT8 or (asked.dtype == "auto" and is_worth_it(chosen))):
        assert subject is not None
        found = _by_probe(name, chosen, subject(chosen), asked, is_nearly_same)
        if found is not None:
            precise, answer = found
            notes = told(name, note, precise.note)
            return Choice(precise.model, precise.dtype, answer.precision, notes, answer.fidelity)
    setting = "auto" if asked.dtype == INT8 else asked.dtype
    precise = in_precision(setting, device, chosen, is_nearly_same, seconds)
    precision = str(precise.dtype).removeprefix("torch.")
    missing = f'gpu.dtype = "{INT8}" is not possible here, it runs in {precision}' if asked.dtype == INT8 else ""
    return Choice(precise.model, precise.dtype, precision, told(name, note, missing, precise.note))


def _by_probe(
    name: str, model: nn.Module, subject: Subject[Any], asked: Asked, is_nearly_same: Callable[[nn.Module], str]
) -> tuple[Precise, Answer] | None:
    """The model as the probe answers, and the answer; None where int8 is asked for and impossible."""
    if asked.dtype == INT8 and not subject.int8_layers:
        return None
    key = kept.key(asked.kind, name, asked.dtype, torch.get_num_threads(), asked.parts)
    answer = kept.read(key)
    if answer is not None:
        try:
            found = build(model, subject, answer)
            if answer.fault or not is_nearly_same(found):
                return _precise(found, answer), answer
        except LookupError:  # it names layers of another release
            pass
    asked.report(f"finding the precision of {name} that is fast and right on this machine, once", "")
    answer = _int8(model, subject) if asked.dtype == INT8 else probe(model, subject)[0]
    kept.write(key, answer)
    return _precise(build(model, subject, answer), answer), answer


def _int8(model: nn.Module, subject: Subject[Any]) -> Answer:
    """The first int8 precision that is near enough, or else the last one, with its fault."""
    right = subject.results(model, PICTURES)
    for precision in subject.int8_layers:
        answer, row = nearest(model, subject, precision, right)
        if not row.state:
            break
    return answer


def _precise(model: Any, answer: Answer) -> Precise:
    dtype: torch.dtype = next(model.parameters()).dtype
    return Precise(model, dtype, f"{answer.precision} gives {answer.fault}" if answer.fault else "")
