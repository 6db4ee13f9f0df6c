"""What a model is checked for when it is loaded: that our way gives what the library's own gives."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.scenes import Scene, draw
from pictures.picture import Pixels
from pictures.preprocessing import fit
from workers.inference.captioners.blip_decoder import BlipDecoder
from workers.inference.captioners.captioner import Captioner, checkpoint_captioner
from workers.inference.captioners.greedy import GreedyDecoder
from workers.inference.embedders import clip_layers
from workers.inference.embedders.embedder import Embedder
from workers.inference.self_check import NOT_FINITE, SAME, difference, fast_or_untouched, picture

CPU = torch.device("cpu")
INSTEAD = "the layers of transformers are used, which are slower, because ours give "


def drawn(scenes: list[Scene], model: Embedder | Captioner) -> list[Pixels]:
    """The scenes as a model sees them."""
    return [fit(draw(scene, random.Random(number)), model.model_input) for number, scene in enumerate(scenes[:6])]


def wrong(*_: Any, **__: Any) -> Any:
    """A layer of a library that has changed."""
    raise AttributeError("'CLIPAttention' object has no attribute 'q_proj'")


def turned(layer: type[nn.Module]) -> Callable[..., torch.Tensor]:
    """The forward of a layer whose result is turned round."""
    forward = layer.forward
    return lambda self, states, *rest, **more: forward(self, states, *rest, **more).flip(-1)


@pytest.mark.parametrize(
    ("break_layer", "reason"),
    [
        (wrong, "AttributeError: 'CLIPAttention' object has no attribute 'q_proj'"),
        (turned(clip_layers.FirstTokenLayer), "a cosine of "),
        (lambda self, states, *_, **__: states[:, :1] * float("nan"), "numbers that are not finite"),
    ],
)
def test_a_clip_that_our_layers_do_not_fit_runs_in_those_of_the_library(
    break_layer: Any,
    reason: str,
    clip: Embedder,
    clip_folder: Path,
    scenes: list[Scene],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(clip_layers.FirstTokenLayer, "forward", break_layer)
    slow = Embedder(str(clip_folder), CPU, "float32", 8)
    slow.load_pictures()
    assert len(slow.notes) == 1
    assert slow.notes[0].startswith(INSTEAD + reason)
    assert f"{slow.name}: {slow.notes[0]}" in caplog.messages
    monkeypatch.undo()
    pictures = drawn(scenes, clip)
    assert np.allclose(slow.embed_pictures(pictures), clip.embed_pictures(pictures), atol=1e-5)


def test_the_layers_of_the_library_run_in_a_lower_precision_too(
    clip: Embedder, clip_folder: Path, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_layers.FirstTokenLayer, "forward", wrong)
    slow = Embedder(str(clip_folder), CPU, "bfloat16", 8)
    assert slow.precision == "bfloat16"
    assert slow.notes[0].startswith(INSTEAD)
    monkeypatch.undo()
    pictures = drawn(scenes, clip)
    assert (slow.embed_pictures(pictures) * clip.embed_pictures(pictures)).sum(axis=1).min() > 0.99


def never_ending(self: GreedyDecoder, pictures: torch.Tensor, max_tokens: int) -> torch.Tensor:
    """A decoder whose scores are right and whose words are not."""
    return torch.full((len(pictures), max_tokens), 7)


@pytest.mark.parametrize(
    ("of", "method", "broken", "reason"),
    [
        (BlipDecoder, "_cross_attention", lambda self, attention, states, pictures: states, "the caption '"),
        (BlipDecoder, "_self_attention", wrong, "AttributeError: "),
        (GreedyDecoder, "__call__", never_ending, "the caption '"),
    ],
)
def test_a_blip_that_our_decoder_does_not_fit_is_decoded_by_the_library(
    of: type,
    method: str,
    broken: Any,
    reason: str,
    blip: Captioner,
    blip_folder: Path,
    scenes: list[Scene],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(of, method, broken)
    slow = checkpoint_captioner(str(blip_folder), CPU, "float32", 8, 30)
    slow.load()
    assert len(slow.notes) == 1
    assert slow.notes[0].startswith(INSTEAD + reason)
    captions = slow.caption(drawn(scenes, blip))
    monkeypatch.undo()
    assert captions == blip.caption(drawn(scenes, blip))


def test_too_little_memory_is_no_difference() -> None:
    def without_memory() -> nn.Module:
        raise MemoryError

    with pytest.raises(MemoryError):
        fast_or_untouched(nn.Identity(), without_memory, lambda model: "")


def test_rows_are_the_expected_ones_up_to_their_length_and_rounding() -> None:
    expected = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    assert difference(torch.tensor([[2.0, 0.01], [0.0, 1.0]]), expected, SAME) == ""
    assert difference(torch.tensor([[1.0, 0.0], [0.5, 1.0]]), expected, SAME) == "a cosine of 0.894 to the right result"
    assert difference(torch.tensor([[1.0, 0.0], [0.0, float("inf")]]), expected, SAME) == NOT_FINITE


def test_the_picture_shows_more_than_one_shade_and_more_than_one_side() -> None:
    levels = np.asarray(picture())
    assert levels.std() > 30
    for other in (levels[::-1], levels[:, ::-1], levels[..., ::-1]):
        assert np.abs(levels.astype(int) - other).mean() > 10
