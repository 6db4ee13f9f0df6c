"""The trimmed towers and the greedy decoder against the untouched models of Hugging Face."""

from typing import Any

import pytest
import torch
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipVisionConfig,
    BlipVisionModel,
    CLIPConfig,
    CLIPModel,
)
from transformers.activations import ACT2FN

from workers.inference.captioners.blip_layers import trimmed_blip
from workers.inference.captioners.greedy import GreedyDecoder
from workers.inference.embedders.clip_layers import QuickGelu, trimmed_clip

SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 64,
    "patch_size": 16,
    "initializer_range": 0.2,
}
WORDS, END, LONGEST = 40, 7, 12


def clip_of(act: str) -> Any:
    """A CLIPModel whose vision tower has this activation."""
    torch.manual_seed(1)
    text = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 50, "eos_token_id": 49}
    return CLIPModel(CLIPConfig(vision_config={**SMALL, "hidden_act": act}, text_config=text)).eval()


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_trimmed_clip_gives_the_same_embeddings(act: str, dtype: torch.dtype) -> None:
    model = clip_of(act)
    pixels = torch.randn(5, 3, 64, 64)
    expected = model.get_image_features(pixel_values=pixels).pooler_output
    trimmed = trimmed_clip(model).to(dtype)
    result = trimmed.get_image_features(pixel_values=pixels.to(dtype)).pooler_output.float()
    assert result.shape == expected.shape
    assert torch.cosine_similarity(result, expected).min() > 0.995
    if dtype == torch.float32:
        assert torch.allclose(result, expected, atol=1e-5)


@torch.inference_mode()
def test_a_trimmed_model_shares_the_weights_and_leaves_the_model_as_it_is() -> None:
    model = clip_of("quick_gelu")
    pixels = torch.randn(2, 3, 64, 64)
    before = model.get_image_features(pixel_values=pixels)
    weights = {weight.data_ptr() for weight in model.parameters()}
    assert {weight.data_ptr() for weight in trimmed_clip(model).parameters()} == weights
    after = model.get_image_features(pixel_values=pixels)
    assert torch.equal(before.pooler_output, after.pooler_output)
    assert torch.equal(before.last_hidden_state, after.last_hidden_state)


@torch.inference_mode()
def test_a_trimmed_blip_shows_its_decoder_the_same_picture() -> None:
    torch.manual_seed(2)
    vision = BlipVisionModel(BlipVisionConfig(**SMALL)).eval()
    pixels = torch.randn(3, 3, 64, 64)
    expected = vision(pixel_values=pixels).last_hidden_state
    assert torch.allclose(trimmed_blip(vision)(pixel_values=pixels).last_hidden_state, expected, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_the_activation_uses_the_whole_range_of_its_precision(dtype: torch.dtype) -> None:
    values = torch.tensor([60_000.0, -60_000.0, 1.0, -1.0, 0.0], dtype=dtype)
    result = QuickGelu()(values)
    assert torch.equal(result, ACT2FN["quick_gelu"](values))
    assert result[0] == values[0]


@torch.inference_mode()
def test_what_float16_holds_in_the_library_it_holds_in_a_trimmed_clip() -> None:
    model = clip_of("quick_gelu")
    for layer in model.vision_model.encoder.layers:
        layer.mlp.fc1.weight.data[0].zero_()
        layer.mlp.fc1.bias.data[0] = 60_000
        layer.mlp.fc2.weight.data[:, 0] = 1e-4
    pixels = torch.randn(2, 3, 64, 64)
    expected = model.get_image_features(pixel_values=pixels).pooler_output
    half = trimmed_clip(model).half().get_image_features(pixel_values=pixels.half()).pooler_output.float()
    assert torch.cosine_similarity(half, expected).min() > 0.99


@pytest.fixture(scope="module")
def model() -> Any:
    """A BLIP whose captions end after different numbers of words, or never."""
    torch.manual_seed(3)
    text = {**SMALL, "vocab_size": WORDS, "encoder_hidden_size": 64, "max_position_embeddings": 32}
    ids = {"bos_token_id": 5, "eos_token_id": 6, "sep_token_id": END, "pad_token_id": 0}
    blip = BlipForConditionalGeneration(BlipConfig(vision_config=SMALL, text_config={**text, **ids})).eval()
    # So that looking at another picture makes another sentence.
    blip.vision_model.post_layernorm.weight.data.mul_(4)
    return blip


@torch.inference_mode()
def test_the_greedy_decoder_says_word_for_word_what_generate_says(model: Any) -> None:
    pixels = torch.randn(32, 3, 64, 64)
    expected = model.generate(pixel_values=pixels, max_new_tokens=LONGEST, num_beams=1, do_sample=False)[:, 1:]
    result = GreedyDecoder(model.text_decoder)(model.vision_model(pixel_values=pixels).last_hidden_state, LONGEST)
    assert result.tolist() == expected.tolist()
    lengths = {row.index(END) if END in row else LONGEST for row in result.tolist()}
    assert len(lengths) > 3, "captions of one length would not have shown that rows leave the batch in the right order"


@torch.inference_mode()
def test_the_greedy_decoder_stops_when_every_caption_has_ended(model: Any) -> None:
    pixels = torch.randn(32, 3, 64, 64)
    encoded = model.vision_model(pixel_values=pixels).last_hidden_state
    tokens = GreedyDecoder(model.text_decoder)(encoded, LONGEST)
    ended = torch.tensor([END in row for row in tokens.tolist()])
    short = GreedyDecoder(model.text_decoder)(encoded[ended], LONGEST)
    assert short.shape[1] == max(row.index(END) for row in tokens[ended].tolist()) + 1


@torch.inference_mode()
def test_the_scores_of_a_given_caption_are_those_of_the_model(model: Any) -> None:
    pixels = torch.randn(4, 3, 64, 64)
    encoded = model.vision_model(pixel_values=pixels).last_hidden_state
    tokens = torch.randint(8, WORDS, (4, 6))
    starts = torch.full((4, 1), model.text_decoder.config.bos_token_id)
    expected = model(pixel_values=pixels, input_ids=torch.cat([starts, tokens[:, :-1]], dim=1)).logits
    scores = GreedyDecoder(model.text_decoder).scores(encoded, tokens)
    assert torch.allclose(scores, expected, atol=1e-3)
