"""The two halves of each family of embedders as modules of one form: inputs by name to features (n, dim)."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import nn

from pictures.preprocessing import PictureInput, WholeInput
from workers.checkpoints.loading import (
    Source,
    read_config,
    read_image_processor,
    read_processor,
    read_tokenizer,
    read_weights,
)
from workers.inference.embedders.clip_layers import trimmed_clip

# Of a SigLIP 2 that takes pictures in their own proportions: it sees 256 patches of 16 pixels at first, 1024 at most.
NAFLEX_EDGE = 1024


class PictureHalf(NamedTuple):
    """What embeds pictures: the library's form of it, our faster one, and the processor that prepares pictures."""

    model: nn.Module
    fast: Callable[[], nn.Module] | None
    processor: Any
    model_input: PictureInput


class TextHalf(NamedTuple):
    """What embeds texts, how many tokens it reads, and how its tokenizer must be asked.

    With `fills_up` every text has as many tokens as the model was trained with; `lowers` says that it was trained with
    small letters, and that its tokenizer leaves capitals as they are.
    """

    model: nn.Module
    tokenizer: Any
    context: int
    fills_up: bool = False
    lowers: bool = False


class Features(nn.Module):
    """A method of a model as a module."""

    def __init__(self, model: Any, features: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self._features = features

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """The features of these inputs, (n, dim)."""
        found = self._features(self.model, **inputs)
        rows: torch.Tensor = found if isinstance(found, torch.Tensor) else found.pooler_output
        return rows


def read_picture_half(source: Source) -> PictureHalf:
    """The half that embeds pictures."""
    config = read_config(source)
    if config.model_type == "clip":
        return _clip_pictures(source, config)
    model = _half(source, config, without="text_model")
    found = Features(model, _image_features)
    if config.model_type == "siglip2":
        return PictureHalf(found, None, read_processor(source), WholeInput(NAFLEX_EDGE))
    side = int(config.vision_config.image_size)
    return PictureHalf(found, None, *read_image_processor(source, side))


def read_text_half(source: Source) -> TextHalf:
    """The half that embeds texts."""
    config = read_config(source)
    positions = int(config.text_config.max_position_embeddings)
    if config.model_type == "clip":
        from transformers import CLIPTextModelWithProjection

        config.text_config.projection_dim = config.projection_dim
        loaded = read_weights(source, CLIPTextModelWithProjection, config.text_config, config)
        return TextHalf(Features(loaded, _text_embeds), read_tokenizer(source), positions)
    tokenizer = read_tokenizer(source)
    model = Features(_half(source, config, without="vision_model"), _text_features)
    if config.model_type in ("siglip", "siglip2"):
        # Trained with texts filled up to the full length, SigLIP 2 with small letters (arXiv 2502.14786, section 3).
        keeps_capitals = not hasattr(tokenizer, "do_lower_case")
        return TextHalf(model, tokenizer, positions, fills_up=True, lowers=keeps_capitals)
    if getattr(config.text_config, "model_type", "") == "altclip_text_model":
        # RoBERTa counts its positions from behind the number of the padding.
        positions -= int(config.text_config.pad_token_id) + 1
    return TextHalf(model, tokenizer, min(positions, int(tokenizer.model_max_length)))


def _clip_pictures(source: Source, config: Any) -> PictureHalf:
    from transformers import CLIPVisionModelWithProjection

    config.vision_config.projection_dim = config.projection_dim
    loaded = read_weights(source, CLIPVisionModelWithProjection, config.vision_config, config)
    processor, model_input = read_image_processor(source, int(config.vision_config.image_size))

    def fast() -> nn.Module:
        return Features(trimmed_clip(loaded), _image_embeds)

    return PictureHalf(Features(loaded, _image_embeds), fast, processor, model_input)


def _half(source: Source, config: Any, without: str) -> Any:
    """A dual encoder of any other family, without the half that is not needed."""
    from transformers import AutoModel

    model = read_weights(source, AutoModel, config, config)
    if hasattr(model, without):
        delattr(model, without)
    return model


def _image_embeds(model: Any, **inputs: torch.Tensor) -> Any:
    return model(**inputs).image_embeds


def _text_embeds(model: Any, **inputs: torch.Tensor) -> Any:
    return model(**inputs).text_embeds


def _image_features(model: Any, **inputs: torch.Tensor) -> Any:
    return model.get_image_features(**inputs)


def _text_features(model: Any, **inputs: torch.Tensor) -> Any:
    return model.get_text_features(**inputs)
