"""The shipped BLIP through the code that every BLIP goes through."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from models.scenes import Scene, draw
from pictures.preprocessing import fit
from settings.errors import WrongUse
from tests.pictures.made.pictures import smooth
from workers.inference import precision
from workers.inference.captioners.blip import LoadedBlip
from workers.inference.captioners.captioner import Captioner, checkpoint_captioner


def test_nine_of_ten_fresh_scenes_get_exactly_their_sentence(blip: Captioner, scenes: list[Scene]) -> None:
    chosen = scenes[:40]
    captions = blip.caption(
        [fit(draw(scene, random.Random(number)), blip.model_input) for number, scene in enumerate(chosen)]
    )
    right = sum(caption == scene.sentence for caption, scene in zip(captions, chosen, strict=True))
    assert right >= 36, f"{right} of 40"


def test_captions_are_words_without_special_tokens(blip: Captioner) -> None:
    pictures = [fit(smooth(90, 70, seed), blip.model_input) for seed in range(5)]
    for caption in blip.caption([*pictures, np.zeros_like(pictures[0]), np.full_like(pictures[0], 255)]):
        assert caption.replace(" ", "").isalpha()
        assert caption == caption.strip().lower()


def test_a_picture_alone_has_the_caption_that_it_has_in_a_batch(blip: Captioner, scenes: list[Scene]) -> None:
    pictures = [fit(draw(scene, random.Random(1)), blip.model_input) for scene in scenes[:4]]
    assert [blip.caption([picture])[0] for picture in pictures] == blip.caption(pictures)


def test_a_batch_of_one_part_or_of_several_has_the_same_captions(
    blip: Captioner, blip_folder: Path, scenes: list[Scene]
) -> None:
    in_parts = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "float32", 8, 30, parts=2)
    pictures = [fit(draw(scene, random.Random(1)), blip.model_input) for scene in scenes[:11]]
    expected = blip.caption(pictures)
    for count in (1, 4, 5, 11):
        assert in_parts.caption(pictures[:count]) == expected[:count]


def test_a_caption_is_no_longer_than_allowed(blip_folder: Path, scenes: list[Scene]) -> None:
    short = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "float32", 8, 3)
    assert len(short.caption([fit(draw(scenes[0], random.Random(1)), short.model_input)])[0].split()) <= 3


def test_more_tokens_than_the_model_has_places_for_are_no_error(blip_folder: Path) -> None:
    patient = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "float32", 8, 10_000)
    assert len(patient.caption([fit(smooth(64, 64), patient.model_input)])) == 1


def test_probing_a_lower_precision_leaves_the_weights_as_they_are(
    blip: Captioner, blip_folder: Path, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    # So much is asked of bfloat16 that float32 wins after both were tried.
    monkeypatch.setattr(precision, "has_fast_bfloat16", lambda: True)
    monkeypatch.setattr(precision, "MIN_SPEEDUP", 1e9)
    probed = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "auto", 8, 30)
    assert probed.precision == "float32"
    loaded = [model.loaded() for model in (probed, blip)]
    weights = [model._model.parameters() for model in loaded if isinstance(model, LoadedBlip)]
    for one, other in zip(*weights, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_in_int8_captions_have_the_same_words_whatever_attention_is_computed_in(
    blip: Captioner, blip_folder: Path, scenes: list[Scene], has_bfloat16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.inference.captioners.blip.has_fast_bfloat16", lambda: has_bfloat16)
    short = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "int8", 8, 30)
    assert short.precision == "int8"
    assert short.notes == []
    loaded = short.loaded()
    assert isinstance(loaded, LoadedBlip)
    attention = loaded._model.vision_model.encoder.layers[0].self_attn
    assert attention.products == (torch.bfloat16 if has_bfloat16 else None)
    reading = loaded._model.text_decoder.bert.encoder.layer[0].crossattention.self.key.weight
    assert reading.dtype == (torch.bfloat16 if has_bfloat16 else torch.float32)
    pictures = [fit(draw(scene, random.Random(1)), blip.model_input) for scene in scenes[:20]]
    assert short.caption(pictures) == blip.caption(pictures)


def test_a_checkpoint_of_another_kind_is_named(clip_folder: Path) -> None:
    with pytest.raises(
        WrongUse,
        match=r"models\.blip = .* is a 'clip' checkpoint, which writes no captions: name one of BLIP, BLIP-2, ",
    ):
        checkpoint_captioner(str(clip_folder), torch.device("cpu"), "float32", 1, 10).load()
