"""Parts of the models of transformers that our faster layers and our decoder reach into, by their names."""

from functools import reduce
from typing import Any

import pytest
import torch
from torch import nn
from transformers import BlipConfig, BlipForConditionalGeneration, CLIPConfig, CLIPModel

from tests.private_names import fail, require_documented

CAPTIONERS = "workers/inference/captioners"
BLIP, BLIP_LAYERS, GREEDY = f"{CAPTIONERS}/blip.py", f"{CAPTIONERS}/blip_layers.py", f"{CAPTIONERS}/blip_decoder.py"
TOWERS = "workers/inference/embedders/clip_layers.py"

# Our file, the part of a model that it reaches into, and the names that it uses there.
NAMES = [
    (BLIP, "BlipForConditionalGeneration", "vision_model text_decoder"),
    (TOWERS, "CLIPModel.vision_model.encoder.layers.0", "layer_norm1 layer_norm2"),
    (TOWERS, "CLIPModel.vision_model.encoder.layers.0.mlp", "config.hidden_act activation_fn fc1 fc2"),
    (TOWERS, "CLIPModel.vision_model.encoder.layers.0.self_attn", "q_proj k_proj v_proj out_proj num_heads scale"),
    (
        BLIP_LAYERS,
        "BlipForConditionalGeneration.vision_model.encoder.layers.0.self_attn",
        "qkv projection num_heads scale",
    ),
    (GREEDY, "BlipForConditionalGeneration.text_decoder", "cls"),
    (
        GREEDY,
        "BlipForConditionalGeneration.text_decoder.config",
        "num_attention_heads bos_token_id sep_token_id pad_token_id",
    ),
    (
        GREEDY,
        "BlipForConditionalGeneration.text_decoder.bert.embeddings",
        "word_embeddings position_embeddings LayerNorm",
    ),
    (
        GREEDY,
        "BlipForConditionalGeneration.text_decoder.bert.encoder.layer.0",
        "attention.self.query attention.self.key attention.self.value attention.self.attention_head_size "
        "attention.output crossattention.self.query crossattention.self.key crossattention.self.value "
        "crossattention.output feed_forward_chunk",
    ),
]


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """The smallest models of both kinds, with the classes that the checkpoints have."""
    size = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision, text = {**size, "image_size": 16, "patch_size": 8}, {**size, "vocab_size": 9, "encoder_hidden_size": 8}
    return {
        "CLIPModel": CLIPModel(CLIPConfig(vision_config=vision, text_config={**text, "projection_dim": 8})),
        "BlipForConditionalGeneration": BlipForConditionalGeneration(
            BlipConfig(vision_config=vision, text_config=text)
        ),
    }


# Our file, and the operator of torch that it calls.
OPERATORS = [
    ("workers/inference/layers/onednn.py", "torch.ops.mkldnn._linear_pointwise"),
    ("workers/inference/layers/int8.py", "torch._int_mm"),
]


@pytest.mark.parametrize(("file", "name"), OPERATORS, ids=[name for _, name in OPERATORS])
def test_an_operator_of_torch_is_there(file: str, name: str) -> None:
    require_documented(name)
    try:
        reduce(getattr, name.split(".")[1:], torch)
    except AttributeError:
        fail("torch", name, file, "is gone")


def child_of(value: Any, name: str) -> Any:
    return value[int(name)] if isinstance(value, nn.ModuleList) else getattr(value, name)


@pytest.mark.parametrize(("file", "part", "names"), NAMES, ids=[part for _, part, _ in NAMES])
def test_a_part_of_a_model_has_the_names_that_ours_use(
    models: dict[str, Any], file: str, part: str, names: str
) -> None:
    require_documented(part)
    for name in names.split():
        require_documented(name)
        model, *path = f"{part}.{name}".split(".")
        try:
            reduce(child_of, path, models[model])
        except (AttributeError, IndexError):
            fail("transformers", f"{part}.{name}", file, "is gone")
