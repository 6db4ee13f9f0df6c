"""Interleaved repeats: the baseline and the thing measured take turns, so that a busy moment hits both."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass

REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """One measured ratio: its name, median and spread, and the median rates behind it in items per second."""

    name: str
    ratio: float
    low: float
    high: float
    ours: float
    baseline: float
    unit: str

    def as_json(self) -> dict[str, float | str]:
        """The figure as it stands in results.json."""
        return {
            "ratio": round(self.ratio, 3),
            "low": round(self.low, 3),
            "high": round(self.high, 3),
            "ours": round(self.ours, 2),
            "baseline": round(self.baseline, 2),
            "unit": self.unit,
        }


def compare(
    name: str, ours: Callable[[int], float], baseline: Callable[[int], float], unit: str, repeats: int = REPEATS
) -> Figure:
    """Run both in turn, `repeats` times; each gets the number of the turn and returns a rate in items per second.

    The ratio of a turn is taken within that turn; median, lowest and highest are over the turns.
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
        ratio=statistics.median(ratios),
        low=min(ratios),
        high=max(ratios),
        ours=statistics.median(mine for mine, _ in rates),
        baseline=statistics.median(other for _, other in rates),
        unit=unit,
    )
