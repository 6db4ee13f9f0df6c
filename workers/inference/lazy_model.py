"""What every model is until it is first used, and what is known of it then."""

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pictures.preprocessing import PictureInput
from workers.checkpoints.lazy import Lazy, Report
from workers.inference.probe.fidelity import Fidelity


class Loaded(Protocol):
    """A model that is loaded; `notes` are what a person should know of how it computes, and `fidelity` is how near the
    probe found its results to those of float32, if it was asked.
    """

    notes: list[str]
    fidelity: Fidelity

    @property
    def precision(self) -> str:
        """The name of the precision that it is computed in, empty where that is not known."""

    @property
    def model_input(self) -> PictureInput:
        """The pictures that it sees."""


LoadedT = TypeVar("LoadedT", bound=Loaded)


class LazyModel(Generic[LoadedT]):
    """A checkpoint called `name`, which `load` loads when a picture first needs it; `report` hears of it.

    Whoever first uses it may get WrongUse or ServiceMissing, with a sentence that says what to do.
    """

    def __init__(self, name: str, load: Callable[[], LoadedT], what: str, report: Report) -> None:
        self.name = name
        self.loaded = Lazy(load, what, report)

    @property
    def model_input(self) -> PictureInput:
        """The pictures that the model sees."""
        return self.loaded().model_input

    @property
    def precision(self) -> str:
        """The name of the precision that pictures are computed in."""
        return self.loaded().precision

    @property
    def fidelity(self) -> Fidelity:
        """How near the probe found what is computed of pictures to float32; nothing where it was not asked."""
        return self.loaded().fidelity

    @property
    def notes(self) -> list[str]:
        """What a person should know of how pictures are computed."""
        return self.loaded().notes
