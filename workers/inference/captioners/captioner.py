"""Captions for pictures, by a checkpoint or by a model behind a URL.

What a checkpoint needs takes seconds to import, so it is imported when it is loaded.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pictures.picture import Pixels
from settings import Settings
from tasks.checkpoint import caption_model_name
from workers.checkpoints.errors import check_folder
from workers.checkpoints.lazy import Lazy, Report, given, silent
from workers.inference.captioners.contract import CaptionerSetup, WritesCaptions
from workers.inference.lazy_model import LazyModel

if TYPE_CHECKING:
    import torch


LOADING = "loading the model for captions"


class Captioner(LazyModel[WritesCaptions]):
    """What writes captions, loaded when it is first used.

    `parts` parts of a batch are computed at the same time; each may be brought by a thread of its own. Whoever first
    uses it may get WrongUse or ServiceMissing, with a sentence that says what to do.
    """

    def __init__(self, name: str, load: Callable[[], WritesCaptions], report: Report, parts: int = 1) -> None:
        super().__init__(name, load, LOADING, report)
        self.parts = parts

    def load(self) -> None:
        """Load it, unless it is loaded."""
        self.loaded()

    def caption(self, pictures: Sequence[Pixels]) -> list[str]:
        """The captions of uint8 RGB pictures as `model_input` has them, in their order."""
        return self.loaded().caption(pictures)


def checkpoint_captioner(
    model: str,
    device: "torch.device | Lazy[torch.device]",
    dtype: str,
    batch: int,
    max_tokens: int,
    parts: int = 1,
    report: Report = silent,
    prompt: str = "",
) -> Captioner:
    """The captioner of a checkpoint on one device; raises WrongUse for a folder that is not there.

    `prompt` is what it is asked, empty for what its family is usually asked. `report` hears of what is loaded.
    """
    check_folder("blip", model)

    def load() -> WritesCaptions:
        from workers.inference.captioners.families import load_captioner

        setup = CaptionerSetup(model, given(device), dtype, batch, max_tokens, parts, prompt, report)
        return load_captioner(setup)

    return Captioner(caption_model_name(model, prompt), load, report, parts)


def captioner_of(
    settings: Settings,
    device: "torch.device | Lazy[torch.device]",
    batch: int,
    parts: int = 1,
    report: Report = silent,
) -> Captioner:
    """The captioner that the settings name: a checkpoint, or a model behind `models.caption_url`."""
    models = settings.models
    if not models.caption_url:
        return checkpoint_captioner(
            models.blip,
            device,
            settings.gpu.dtype,
            batch,
            models.max_caption_tokens,
            parts,
            report,
            models.caption_prompt,
        )

    def connect() -> WritesCaptions:
        from workers.inference.captioners.remote import RemoteCaptioner

        return RemoteCaptioner(settings)

    return Captioner(caption_model_name(models.blip, models.caption_prompt, models.caption_url), connect, report)
