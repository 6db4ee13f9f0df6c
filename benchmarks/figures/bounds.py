"""What a figure should reach, what it must never fall below, and counts that must be exact."""

from dataclasses import dataclass


class WrongCount(RuntimeError):
    """Something was lost or came twice: whatever was measured meanwhile says nothing."""


def require_count(found: int, wanted: int, what: str) -> None:
    """Raise WrongCount unless exactly `wanted` came out; `what` says of what, as in "files were stored"."""
    if found != wanted:
        raise WrongCount(f"{found:,} of {wanted:,} {what}")


@dataclass(frozen=True)
class Goal:
    """What a figure should reach, and its floor: a worse value fails the run.

    A goal may still lie ahead; the floor is what has been reached, less what machines and runs differ by. Where small
    is good the floor is the most.
    """

    value: float
    floor: float
    is_most: bool = False

    def is_reached(self, value: float) -> bool:
        """Whether this value is as good as the goal."""
        return value <= self.value if self.is_most else value >= self.value

    def is_held(self, value: float) -> bool:
        """Whether this value is no worse than the floor."""
        return value <= self.floor if self.is_most else value >= self.floor

    def shown(self, bound: float) -> str:
        """The goal or the floor as a condition, as in ">= 0.95"."""
        return f"{'<=' if self.is_most else '>='} {bound:g}"


def at_least(goal: float, floor: float) -> Goal:
    """Large is good; below `floor` the run fails."""
    return Goal(goal, floor)


def at_most(goal: float, floor: float) -> Goal:
    """Small is good; above `floor` the run fails."""
    return Goal(goal, floor, is_most=True)
