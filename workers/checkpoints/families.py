"""Which families of models Darkroom loads, by the `model_type` of their configs."""

from typing import Any

from settings.errors import WrongUse

EMBEDDERS = "CLIP, SigLIP, SigLIP 2, Chinese-CLIP, AltCLIP and other models of transformers that embed both"
CAPTIONERS = "BLIP, BLIP-2, GIT, Florence-2 and the image-text-to-text models of transformers"
# They have the methods of an embedder, and their checkpoints were trained for something else.
_NO_EMBEDDERS = {"blip", "blip-2", "owlvit", "owlv2", "clipseg", "flava", "groupvit"}


def check_family(setting: str, model: str, kind: str, model_type: str) -> None:
    """Raise WrongUse unless checkpoints of this `model_type` are of the `kind`, "clip" or "blip", that is set there."""
    if kind == "clip" and not embeds(model_type):
        raise WrongUse(
            f"{setting} = {model!r} is a {model_type!r} checkpoint, which does not embed pictures and texts into one "
            f"space: name one of {EMBEDDERS}."
        )
    if kind == "blip" and not captions(model_type):
        raise WrongUse(
            f"{setting} = {model!r} is a {model_type!r} checkpoint, which writes no captions: name one of {CAPTIONERS}."
        )


def embeds(model_type: str) -> bool:
    """Whether models of this type embed pictures and texts."""
    if model_type == "clip":
        return True
    from transformers import MODEL_MAPPING

    model = _mapped(MODEL_MAPPING, model_type)
    has_both = hasattr(model, "get_image_features") and hasattr(model, "get_text_features")
    return has_both and model_type not in _NO_EMBEDDERS


def captions(model_type: str) -> bool:
    """Whether models of this type write texts about pictures."""
    if model_type == "blip":
        return True
    from transformers import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

    return _mapped(MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING, model_type) is not None


def _mapped(mapping: Any, model_type: str) -> Any:
    """The class of models of this type in one of the library's tables, None where it has none."""
    from transformers import CONFIG_MAPPING

    if model_type not in CONFIG_MAPPING:
        return None
    found = mapping.get(CONFIG_MAPPING[model_type], None)
    return found[0] if isinstance(found, tuple) else found
