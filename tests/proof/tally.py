"""What a proof has found so far, the tables of it, and its one line."""

import fcntl
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tasks.recoveries import KINDS
from tests.proof.steps import Taken

LISTS = ("lost", "doubled", "misfiled")


@dataclass
class Tally:
    """Counts of everything; `wrong` are sentences about what did not heal, `parts` what has run to its end."""

    steps: Counter[str] = field(default_factory=Counter)
    healed: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    recoveries: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    parts: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def add(self, other: Self) -> None:
        """Count on by what another one has found."""
        for name, found in vars(other).items():
            setattr(self, name, getattr(self, name) + found)

    def keep(self, file: Path) -> None:
        """Add this to what the file has, and take over the sum; other proofs may do so meanwhile."""
        with file.open("a+") as kept:
            fcntl.flock(kept, fcntl.LOCK_EX)
            kept.seek(0)
            if text := kept.read():
                before = json.loads(text)
                for name in ("steps", "healed", "sums", "recoveries"):
                    before[name] = Counter(before[name])
                self.add(type(self)(**before))
            kept.truncate(0)
            json.dump(vars(self), kept, indent=1)

    def take(self, series: str, all_taken: Iterable[Taken]) -> None:
        """Count jobs that were hit, and print a line for each; they are a row of their own or of their series."""
        for taken in all_taken:
            verdict = taken.verdict
            row = series or taken.steps[0].series
            self.steps[row] += 1
            self.healed[row] += verdict.good
            self.sums.update({name: len(getattr(verdict, name)) for name in LISTS})
            self.recoveries.update(taken.recoveries)
            told = "; ".join([*verdict.wrong, *verdict.said[-3:]]) or "see the files"
            where = ", then ".join(f"{step} ({hit})" for step, hit in zip(taken.steps, taken.hit))
            print(f"{where}: {'healed' if verdict.good else told}, {verdict.seconds:.1f} s", flush=True)
            if not verdict.good:
                self.wrong.append(f"{where}: {told}")

    def never(self) -> list[str]:
        """The ways to recover that were never gone."""
        return [kind for kind in KINDS if not self.recoveries[kind]]

    def table(self) -> str:
        """The steps, a row for each series."""
        rows = [f"| {row} | {steps} | {self.healed[row]} |" for row, steps in self.steps.items()]
        return "\n".join(["| killed | steps | healed |", "|---|---|---|", *rows])

    def line(self, never: bool) -> str:
        """Everything as one line of JSON; where not all parts have run, no way to recover can be missed."""
        counts = {"steps": sum(self.steps.values()), **{name: self.sums[name] for name in LISTS}}
        names = ("mutants", "caught", "powerloss_points", "powerloss_lost", "model_orders", "soak_files", "soak_kills")
        told = {**counts, **{name: self.sums[name] for name in names}}
        return json.dumps({**told, "sometimes_never": self.never() if never else [], "seconds": round(self.seconds)})
