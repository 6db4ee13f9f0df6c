"""What a benchmark returns, and interleaved repeats: the baseline and the thing measured take turns."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.figures.bounds import Goal

REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """One measured number with its spread, in `unit`; a ratio has the unit "x".

    `goal` is what it should reach, with its floor. `ours` and `baseline` are the rates behind a ratio, in `rate_unit`,
    and `precisions` what the models of both sides computed in, as in "bfloat16 / float32". `note` is what a reader of
    the table must know about it. `detail` is anything else that the table of this figure in the docs is made from, as
    JSON values.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    goal: Goal | None = None
    ours: float | None = None
    baseline: float | None = None
    rate_unit: str = ""
    precisions: str = ""
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without one."""
        return None if self.goal is None else self.goal.is_reached(self.value)

    @property
    def complaint(self) -> str:
        """The sentence that says that this figure is worse than its floor; "" where it is not."""
        if self.goal is None or self.goal.is_held(self.value):
            return ""
        return f"{self.name} is {_rounded(self.value):g} {self.unit}, and its floor {self.goal.shown(self.goal.floor)}."

    def as_json(self) -> dict[str, Any]:
        """The figure as it stands in results.json."""
        facts: dict[str, Any] = {
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "unit": self.unit,
        }
        if self.goal is not None:
            facts |= {"goal": self.goal.shown(self.goal.value), "reached": self.reached}
            facts |= {"floor": self.goal.shown(self.goal.floor)}
        if self.ours is not None and self.baseline is not None:
            facts |= {"ours": _rounded(self.ours), "baseline": _rounded(self.baseline), "rate_unit": self.rate_unit}
        told = {"precisions": self.precisions, "note": self.note, "detail": self.detail}
        return facts | {name: value for name, value in told.items() if value}


def compare(
    name: str,
    ours: Callable[[int], float],
    baseline: Callable[[int], float],
    unit: str,
    repeats: int = REPEATS,
    goal: Goal | None = None,
    precisions: str = "",
    note: str = "",
) -> Figure:
    """Run both in turn, `repeats` times; each gets the number of the turn and returns a rate in items per second.

    The value is the ratio within a turn, its median, lowest and highest over the turns; `unit` is that of the rates.
    """
    rates = []
    for turn in range(repeats):
        # Whoever goes first changes, so that a warming or a throttling machine favours neither.
        if turn % 2:
            second, first = ours(turn), baseline(turn)
            rates.append((second, first))
        else:
            first = baseline(turn)
            rates.append((ours(turn), first))
    ratios = [mine / other for mine, other in rates]
    return Figure(
        name=name,
        value=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        unit="x",
        goal=goal,
        ours=statistics.median(mine for mine, _ in rates),
        baseline=statistics.median(other for _, other in rates),
        rate_unit=unit,
        precisions=precisions,
        note=note,
    )


def measured(
    name: str,
    values: Sequence[float],
    unit: str,
    goal: Goal | None = None,
    detail: dict[str, Any] | None = None,
) -> Figure:
    """A figure without a baseline: median, lowest and highest of `values`."""
    return Figure(name, statistics.median(values), min(values), max(values), unit, goal, detail=detail or {})


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
