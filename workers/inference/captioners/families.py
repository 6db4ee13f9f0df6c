"""How a checkpoint writes captions: a BLIP by our faster form, any other family by the library's own `generate`."""

from settings.errors import WrongUse
from workers.checkpoints.loading import Source, load_part, read_config
from workers.inference.captioners.blip import LoadedBlip
from workers.inference.captioners.contract import CaptionerSetup, WritesCaptions
from workers.inference.captioners.library import LibraryCaptioner


def load_captioner(setup: CaptionerSetup) -> WritesCaptions:
    """Load a checkpoint; raises WrongUse or ServiceMissing, with a sentence about the setting."""
    if load_part("blip", setup.model, _model_type, setup.report) != "blip":
        return LibraryCaptioner(setup)
    if setup.prompt:
        raise WrongUse(
            f'models.blip = {setup.model!r} is a BLIP, which is asked nothing: set models.caption_prompt to "".'
        )
    return LoadedBlip(setup)


def _model_type(source: Source) -> str:
    return str(read_config(source).model_type)
