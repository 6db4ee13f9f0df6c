"""The two steps of a delivery that a loader does: its files are read and looked up, then decoded for the models."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from functools import partial
from typing import Protocol

from pictures.picture import Content, LoadError, Picture
from pictures.preprocessing import PictureInput
from tasks.messages import FileItem
from workers.gpu.delivery import Delivery, FileState, KnownContent, Wanted
from workers.gpu.loading.loader import Loader, Loading, Reading
from workers.gpu.loading.memory_budget import NoRoom
from workers.gpu.loading.picture_loader import Decoded, Inputs, Read
from workers.gpu.models import Models
from workers.microbatcher import MicroBatcher


class SeesPictures(Protocol):
    """A model that pictures are decoded for."""

    @property
    def model_input(self) -> PictureInput:
        """What it sees."""


class LoadingSteps:
    """The steps, each for some deliveries at once; what a delivery cannot go on with is its own error.

    Pictures are decoded for CLIP, for BLIP where captions are written, and for who reads text.
    """

    def __init__(
        self,
        models: Models,
        look_up: MicroBatcher[str, KnownContent | None],
        clip: SeesPictures,
        blip: SeesPictures | None,
        reader: SeesPictures | None,
    ) -> None:
        self._models = models
        self._look_up_batcher = look_up
        self._clip = clip
        self._blip = blip
        self._reader = reader
        self._inputs: dict[Wanted, Inputs] = {}

    def read(self, deliveries: Sequence[Delivery], loader: Loader) -> None:
        """Read the files of these deliveries; those for which there is no room stay `unread`."""
        readings = [
            Reading(each.message.root, each.unread or each.message.files, each.lease, each.record_too_slow)
            for each in deliveries
        ]
        for delivery, reading, contents in zip(deliveries, readings, loader.read(readings), strict=True):
            if failure := delivery.attempt(partial(self._look_up, files=reading.files, contents=contents)):
                delivery.complete(failure)

    def _look_up(self, delivery: Delivery, files: Sequence[FileItem], contents: Sequence[Read]) -> None:
        delivery.unread = []
        for place, (item, content) in enumerate(zip(files, contents)):
            if isinstance(content, Content):
                delivery.pending.append(FileState(item, content, self._look_up_batcher.submit(content.sha256)))
            elif isinstance(content, NoRoom):
                delivery.unread, delivery.lacking = list(files[place:]), content.size
            else:
                delivery.fail(item, content)

    def load(self, deliveries: Sequence[Delivery], loader: Loader) -> dict[Delivery, BaseException]:
        """Load what was looked up and hand it to the models; returns the deliveries that end with an error."""
        asked: dict[Delivery, list[tuple[FileState, Wanted]]] = {delivery: [] for delivery in deliveries}
        loadings: list[Loading] = []

        def ask(delivery: Delivery) -> None:
            root, states = delivery.message.root, asked[delivery]
            for state in delivery.pending:
                try:
                    wanted, inputs = self._wanted(delivery, state)
                except Exception as error:  # raised again unless it is the fault of the file
                    delivery.fail(state.item, error)
                    continue
                loadings.append(Loading(root, state.item, state.content, inputs, delivery.record_too_slow))
                states.append((state, wanted))

        failures = {delivery: error for delivery in deliveries if (error := delivery.attempt(ask)) is not None}
        outcomes = loader.load(loadings)
        for delivery, states in asked.items():
            left = iter(states)
            if error := delivery.attempt(partial(self._start_all, states=left, outcomes=outcomes)):
                failures.setdefault(delivery, error)
                for _ in left:
                    next(outcomes, None)
            delivery.is_loaded = True
        return failures

    def _start_all(
        self, delivery: Delivery, states: Iterable[tuple[FileState, Wanted]], outcomes: Iterator[Decoded]
    ) -> None:
        for state, wanted in states:
            self._start_models(delivery, state, wanted, outcomes)

    def _start_models(self, delivery: Delivery, state: FileState, wanted: Wanted, outcomes: Iterator[Decoded]) -> None:
        size = state.content.size
        # Held by nobody but the models afterwards: a loader may wait for the memory of these pixels.
        loaded = next(outcomes, None)
        delivery.lease.give_back(size)
        if loaded is None:  # the loader has ended, and said so before
            raise CancelledError
        if isinstance(loaded, LoadError):
            delivery.fail(state.item, loaded)
            return
        if not isinstance(loaded, Picture):
            state.facts = loaded
            return
        state.is_decoded = True
        state.facts = {"format": loaded.format, "width": loaded.width, "height": loaded.height, **loaded.facts}
        try:
            self._models.submit(state, loaded, wanted)
        except Exception as error:  # raised again unless it is the fault of the file
            delivery.fail(state.item, error)

    def _wanted(self, delivery: Delivery, state: FileState) -> tuple[Wanted, Inputs | None]:
        known = state.known.result()
        wanted = self._models.wanted(known, delivery.message.target)
        # A known content is read again all the same: a copy may have another sidecar, or an older release read it.
        return wanted, self.inputs(wanted) if known is None or wanted else None

    def inputs(self, wanted: Wanted) -> Inputs:
        """What a picture is decoded for of which the models must tell this; they are loaded for that."""
        inputs = self._inputs.get(wanted)
        if inputs is None:
            inputs = self._inputs[wanted] = self._made_inputs(wanted)
        return inputs

    def _made_inputs(self, wanted: Wanted) -> Inputs:
        blip = self._blip.model_input if wanted.caption and self._blip is not None else None
        text = self._reader.model_input if wanted.text and self._reader is not None else None
        return Inputs(self._clip.model_input, blip, text)
