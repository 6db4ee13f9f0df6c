"""The trimmed towers and the greedy decoder against the untouched models of Hugging Face."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipVisionConfig,
    BlipVisionModel,
    CLIPVisionConfig,
    CLIPVisionModel,
)

from workers.inference.greedy import GreedyDecoder, is_supported
from workers.inference.towers import trim_blip, trim_clip

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


@pytest.mark.parametrize("act", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@torch.inference_mode()
def test_a_trimmed_clip_gives_the_same_embeddings(act: str, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    vision = CLIPVisionModel(CLIPVisionConfig(**SMALL, hidden_act=act)).eval()
    pixels = torch.randn(5, 3, 64, 64)
    expected = vision(pixel_values=pixels).pooler_output
    trim_clip(vision)
    result = vision.to(dtype)(pixel_values=pixels.to(dtype)).pooler_output.float()
    assert result.shape == expected.shape
    assert torch.cosine_similarity(result, expected).min() > 0.995
    if dtype == torch.float32:
        assert torch.allclose(result, expected, atol=1e-5)


@torch.inference_mode()
def test_a_trimmed_blip_shows_its_decoder_the_same_picture() -> None:
    torch.manual_seed(2)
    vision = BlipVisionModel(BlipVisionConfig(**SMALL)).eval()
    pixels = torch.randn(3, 3, 64, 64)
    expected = vision(pixel_values=pixels).last_hidden_state
    trim_blip(vision)
    assert torch.allclose(vision(pixel_values=pixels).last_hidden_state, expected, atol=1e-5)


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


def _changed(name: str, value: object) -> Callable[[Any], None]:
    return lambda generation: setattr(generation, name, value)


@pytest.mark.parametrize(
    "change", [_changed("repetition_penalty", 1.5), _changed("min_length", 5), _changed("suppress_tokens", [3])]
)
def test_a_checkpoint_that_wants_more_than_the_likeliest_word_is_left_to_generate(
    model: Any, change: Callable[[Any], None]
) -> None:
    generation = type(model.text_decoder.generation_config)()
    assert is_supported(generation)
    change(generation)
    assert not is_supported(generation)
