"""What a benchmark returns, and interleaved repeats: the baseline and the thing measured take turns."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """One measured number with its spread, in `unit`; a ratio has the unit "x".

    `goal` is what it must reach: at least, or at most where `at_most` says so. `ours` and `baseline` are the rates
    behind a ratio, in `rate_unit`. `detail` is anything else that the table of this figure in the docs is made from,
    as JSON values.
    """

    name: str
    value: float
    low: float
    high: float
    unit: str
    goal: float | None = None
    at_most: bool = False
    ours: float | None = None
    baseline: float | None = None
    rate_unit: str = ""
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None without one."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal

    def as_json(self) -> dict[str, Any]:
        """The figure as it stands in results.json."""
        facts: dict[str, Any] = {
            "value": _rounded(self.value),
            "low": _rounded(self.low),
            "high": _rounded(self.high),
            "unit": self.unit,
        }
        if self.goal is not None:
            facts |= {"goal": f"{'<=' if self.at_most else '>='} {self.goal:g}", "reached": self.reached}
        if self.ours is not None and self.baseline is not None:
            facts |= {"ours": _rounded(self.ours), "baseline": _rounded(self.baseline), "rate_unit": self.rate_unit}
        if self.detail:
            facts["detail"] = self.detail
        return facts


def compare(
    name: str,
    ours: Callable[[int], float],
    baseline: Callable[[int], float],
    unit: str,
    repeats: int = REPEATS,
    goal: float | None = None,
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
    )


def measured(
    name: str,
    values: Sequence[float],
    unit: str,
    goal: float | None = None,
    at_most: bool = False,
    detail: dict[str, Any] | None = None,
) -> Figure:
    """A figure without a baseline: median, lowest and highest of `values`."""
    return Figure(name, statistics.median(values), min(values), max(values), unit, goal, at_most, detail=detail or {})


def _rounded(number: float) -> float:
    return float(f"{number:.4g}")
