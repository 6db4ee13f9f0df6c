"""The checkpoints that `models` lists: those that are known, and those that the settings name."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from settings import Settings
from settings.errors import DarkroomError
from tasks.checkpoint import checkpoint_name, looks_like_a_folder
from tasks.stack.paths import stack_paths
from workers.checkpoints.hub import WEIGHTS, is_here
from workers.checkpoints.known import KNOWN, Kind
from workers.checkpoints.speed import read_speed


@dataclass(frozen=True)
class Listed:
    """A checkpoint as it is on this machine; what nobody knows is None.

    `seconds_per_picture` is what the fastest worker of this machine has measured in its last ingests.
    """

    name: str
    kind: Kind
    megabytes: int | None
    languages: str | None
    on_disk: bool
    is_set: bool
    seconds_per_picture: float | None

    def as_json(self) -> dict[str, Any]:
        """The same as a JSON object."""
        return asdict(self)

    def line(self, width: int) -> str:
        """The same for a person; `width` is that of the name."""
        facts = [
            self.kind.upper(),
            _size(self.megabytes).rjust(6),
            (self.languages or "").ljust(8),
            ("on disk" if self.on_disk else "").ljust(7),
            _speed(self.seconds_per_picture).rjust(8),
        ]
        return f"{'*' if self.is_set else ' '} {self.name:<{width}}  {'  '.join(facts)}".rstrip()


def listed(settings: Settings) -> list[Listed]:
    """All checkpoints, of each kind first those that are known, then the one that is set where it is none of them."""
    models = settings.models
    set_ones: dict[Kind, str] = {"clip": models.clip, "blip": models.blip}
    measured = _measured(stack_paths(settings).speeds)
    rows = []
    for kind, chosen in set_ones.items():
        known = {each.name: each for each in KNOWN if each.kind == kind}
        for name in [*known, *([chosen] if chosen not in known else [])]:
            facts = known.get(name)
            rows.append(
                Listed(
                    name,
                    kind,
                    facts.megabytes if facts else None,
                    facts.languages if facts else None,
                    _is_on_disk(name),
                    name == chosen and (kind == "clip" or models.captions),
                    measured.get(_name(name)),
                )
            )
    return rows


def _is_on_disk(name: str) -> bool:
    if looks_like_a_folder(name) or Path(name).is_dir():
        return any((Path(name) / file).is_file() for file in WEIGHTS)
    return is_here(name)


def _name(model: str) -> str:
    try:
        return checkpoint_name(model)
    except DarkroomError:  # a folder that is not there
        return model


def _measured(folder: Path) -> dict[str, float]:
    """Checkpoint -> the seconds that the fastest worker of this machine needs for a picture."""
    fastest: dict[str, float] = {}
    for file in folder.glob("*.json"):
        for model, seconds in read_speed(file).items():
            fastest[model] = min(seconds, fastest.get(model, seconds))
    return fastest


def _size(megabytes: int | None) -> str:
    if megabytes is None:
        return ""
    return f"{megabytes} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def _speed(seconds: float | None) -> str:
    if not seconds:
        return ""
    return f"{1 / seconds:,.0f}/s" if seconds < 0.1 else f"{1 / seconds:.1f}/s"
