"""What the probe finds out: a row for each precision, and which one is taken."""

from dataclasses import asdict, dataclass, field
from typing import Any

from workers.inference.probe.fidelity import Fidelity

TAKEN = "taken"


@dataclass(frozen=True)
class Row:
    """One precision: the milliseconds of a picture in a batch, how near its results are to those of float32, and
    whether it is "taken", or why not.
    """

    precision: str
    milliseconds: float | None = None
    fidelity: Fidelity = field(default_factory=Fidelity)
    state: str = ""

    def as_json(self) -> dict[str, Any]:
        """The row as `bench-models --json` prints it."""
        return {
            "precision": self.precision,
            "ms_per_picture": None if self.milliseconds is None else round(self.milliseconds, 2),
            "cosine_median": self.fidelity.median,
            "cosine_worst": self.fidelity.worst,
            "captions_same": self.fidelity.same,
            "taken": self.state == TAKEN,
            "state": self.state,
        }


@dataclass(frozen=True)
class Answer:
    """The precision that is taken, the layers of an int8 one that stay in float32, the fault that it has all the same,
    where a person has named it, and how near its results were to those of float32.
    """

    precision: str
    float32_layers: tuple[str, ...] = ()
    fault: str = ""
    fidelity: Fidelity = field(default_factory=Fidelity)

    def as_json(self) -> dict[str, Any]:
        """The answer as it is kept."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Answer":
        """The answer that was kept; raises LookupError, TypeError or ValueError for anything else."""
        texts = [found["precision"], found["fault"], *found["float32_layers"]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text is missing")
        fidelity = Fidelity(**found["fidelity"])
        if not all(number is None or isinstance(number, float) for number in asdict(fidelity).values()):
            raise TypeError("a cosine is no number")
        return cls(found["precision"], tuple(found["float32_layers"]), found["fault"], fidelity)
