"""The decoder of accelerators on a CPU, word for word, and a CUDA graph by a torch that notes what is asked of it."""

import copy
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from models.scenes import Scene, draw
from pictures.preprocessing import fit
from tests.workers.inference.test_faster_layers import END, LONGEST
from tests.workers.inference.test_faster_layers import model as model
from workers.inference.captioners import static_greedy
from workers.inference.captioners.blip_decoder import BlipDecoder
from workers.inference.captioners.captioner import Captioner, checkpoint_captioner
from workers.inference.captioners.greedy import GreedyDecoder
from workers.inference.captioners.static_greedy import StaticGreedyDecoder, Step, checked_decoder
from workers.inference.captioners.word_graph import WARM_UPS, WordGraphs


@pytest.fixture(scope="module")
def encoded(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        pixels = torch.randn(32, 3, 64, 64, generator=torch.Generator().manual_seed(4))
        states: torch.Tensor = model.vision_model(pixel_values=pixels).last_hidden_state
        return states


@pytest.fixture(scope="module")
def right(model: Any, encoded: torch.Tensor) -> list[list[int]]:
    """What the decoder of the CPU says, which is what `generate` says (test_faster_layers.py)."""
    with torch.inference_mode():
        tokens: list[list[int]] = GreedyDecoder(model.text_decoder)(encoded, LONGEST).tolist()
        return tokens


def cut(tokens: list[list[int]]) -> list[list[int]]:
    """The same captions with no more places than the longest one has."""
    length = max(row.index(END) + 1 if END in row else LONGEST for row in tokens)
    return [row[:length] for row in tokens]


def test_it_says_word_for_word_what_the_decoder_of_the_cpu_says(
    model: Any, encoded: torch.Tensor, right: list[list[int]]
) -> None:
    decoder = StaticGreedyDecoder(model.text_decoder, 32, LONGEST)
    assert decoder(encoded).tolist() == right
    # Batches of other sizes in the same memory: a power of two, fewer than one, and the first one again.
    for count in (8, 5, 1, 32):
        assert decoder(encoded[:count]).tolist() == cut(right[:count])


def test_it_ends_when_every_caption_has_ended_and_asks_the_device_every_few_words(
    model: Any, encoded: torch.Tensor, right: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, looks = [], []
    step, look = static_greedy._Words.step, static_greedy._Words.look

    def noted_step(words: static_greedy._Words) -> None:
        steps.append(1)
        step(words)

    def noted_look(words: static_greedy._Words) -> tuple[int, bool]:
        looks.append(len(steps))
        return look(words)

    monkeypatch.setattr(static_greedy._Words, "step", noted_step)
    monkeypatch.setattr(static_greedy._Words, "look", noted_look)
    short = min(range(32), key=lambda row: right[row].index(END) if END in right[row] else LONGEST)
    length = right[short].index(END) + 1
    found = StaticGreedyDecoder(model.text_decoder, 4, LONGEST)(encoded[short : short + 1])
    assert found.tolist() == [right[short][:length]]
    assert looks == list(range(4, -(-length // 4) * 4 + 1, 4))
    assert len(steps) == looks[-1]


def test_numbers_that_are_not_finite_in_one_batch_do_not_reach_the_next(
    model: Any, encoded: torch.Tensor, right: list[list[int]]
) -> None:
    decoder = StaticGreedyDecoder(model.text_decoder, 4, LONGEST)
    decoder(torch.full_like(encoded[:4], float("nan")))
    assert decoder(encoded[:3]).tolist() == cut(right[:3])


def test_each_size_of_a_batch_is_recorded_once_and_then_replayed(
    model: Any, encoded: torch.Tensor, right: list[list[int]]
) -> None:
    recorded: list[int] = []
    replayed: list[int] = []

    def record(step: Step) -> Step:
        number = len(recorded)
        recorded.append(number)
        step()

        def replay() -> None:
            replayed.append(number)
            step()

        return replay

    decoder = StaticGreedyDecoder(model.text_decoder, 32, LONGEST, record)
    for count in (5, 7, 32, 8):
        assert decoder(encoded[:count]).tolist() == cut(right[:count])
    assert recorded == [0, 1], "of eight pictures at most, and of thirty-two"
    assert set(replayed) == {0, 1}


def test_where_nothing_can_be_recorded_words_are_computed_as_they_come_and_that_is_said_once(
    model: Any, encoded: torch.Tensor, right: list[list[int]], caplog: pytest.LogCaptureFixture
) -> None:
    def record(step: Step) -> Step:
        step()
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    decoder = StaticGreedyDecoder(model.text_decoder, 32, LONGEST, record)
    with caplog.at_level(logging.WARNING):
        for count in (32, 4):
            assert decoder(encoded[:count]).tolist() == cut(right[:count])
    assert [line.getMessage() for line in caplog.records] == [
        "captions are computed without a CUDA graph, which is slower: "
        "CUDA error: operation not permitted when stream is capturing"
    ]


def test_a_device_that_has_no_memory_for_a_recording_is_told_as_that(model: Any, encoded: torch.Tensor) -> None:
    def record(step: Step) -> Step:
        raise torch.OutOfMemoryError("CUDA out of memory")

    decoder = StaticGreedyDecoder(model.text_decoder, 4, LONGEST, record)
    with pytest.raises(torch.OutOfMemoryError):
        decoder(encoded[:4])


@pytest.mark.parametrize("shift", [0, 1])
def test_a_recording_that_writes_other_words_is_not_used(
    model: Any, encoded: torch.Tensor, right: list[list[int]], shift: int, caplog: pytest.LogCaptureFixture
) -> None:
    replayed: list[int] = []

    def record(step: Step) -> Step:
        words: Any = step.__self__  # type: ignore[attr-defined]  # a step is a method of the state

        def replay() -> None:
            replayed.append(1)
            step()
            words.tokens.add_(shift)

        return replay

    decoder = checked_decoder(model.text_decoder, encoded[:1], 8, LONGEST, record)
    replayed.clear()
    assert decoder(encoded[:8]).tolist() == cut(right[:8])
    assert bool(replayed) != bool(shift)
    assert ("one gives other words" in caplog.text) == bool(shift)


def test_fewer_words_than_a_recording_warms_up_with_are_right_as_well(
    model: Any, encoded: torch.Tensor, right: list[list[int]]
) -> None:
    def record(step: Step) -> Step:
        for _ in range(WARM_UPS):
            step()
        return step

    decoder = StaticGreedyDecoder(model.text_decoder, 4, 2, record)
    assert decoder(encoded[:4]).tolist() == [row[:2] for row in right[:4]]


def test_a_graph_is_recorded_warm_on_a_stream_beside_and_shares_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []

    class Stream:
        def __init__(self, name: str) -> None:
            self.name = name

        def wait_stream(self, other: "Stream") -> None:
            notes.append(f"{self.name} waits for {other.name}")

    class Graph:
        def replay(self) -> None:
            notes.append("replayed")

    @contextmanager
    def within(what: str) -> Iterator[None]:
        notes.append(f"{what} begins")
        yield
        notes.append(f"{what} ends")

    def graph(made: Graph, pool: object, capture_error_mode: str) -> Any:
        return within(f"recording into {pool}, {capture_error_mode},")

    now = Stream("now")
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("beside"))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: now)
    monkeypatch.setattr(torch.cuda, "stream", lambda stream: within(stream.name))
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: "one pool")
    record = WordGraphs(torch.device("cuda", 0))
    for _ in range(2):
        record(lambda: notes.append("step"))()
    once = [
        "beside waits for now",
        "beside begins",
        *["step"] * WARM_UPS,
        "beside ends",
        "now waits for beside",
        "recording into one pool, thread_local, begins",
        "step",
        "recording into one pool, thread_local, ends",
        "replayed",
    ]
    assert notes == 2 * once


def test_on_an_accelerator_the_shipped_captioner_writes_the_same_captions(
    blip: Captioner, blip_folder: Path, scenes: list[Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [fit(draw(scene, random.Random(1), 192), blip.model_input) for scene in scenes[:12]]
    monkeypatch.setattr("workers.inference.captioners.blip.is_accelerator", lambda device: True)
    decoded: list[int] = []
    decode = StaticGreedyDecoder.__call__

    def noted(decoder: StaticGreedyDecoder, pictures: torch.Tensor) -> torch.Tensor:
        decoded.append(len(pictures))
        return decode(decoder, pictures)

    monkeypatch.setattr(StaticGreedyDecoder, "__call__", noted)
    static = checkpoint_captioner(str(blip_folder), torch.device("cpu"), "float32", 16, 30)
    assert static.caption(shown) == blip.caption(shown)
    assert decoded[-1] == 12


class Calls(TorchDispatchMode):
    """Notes every call of torch, also those inside of layers."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.crossing: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.names.add(str(func.overloadpacket))
        tensors = [each for each in tree_leaves((args, result)) if isinstance(each, torch.Tensor)]
        # A CPU tensor among those of the device is a copy, unless it is a number that goes along with the call.
        if any(each.device.type != "meta" for each in tensors):
            self.crossing.append(str(func.overloadpacket))
        return result


def test_a_step_asks_the_device_for_nothing_and_brings_it_nothing(model: Any) -> None:
    # A device without numbers: whoever asks it for one gets an error.
    decoder = BlipDecoder(copy.deepcopy(model.text_decoder).to("meta").half())
    with torch.inference_mode():
        pictures = torch.empty((4, 17, 64), dtype=torch.float16, device="meta")
        words = static_greedy._Words(decoder, pictures, LONGEST).first(2)
        words.begin(pictures[:2])
        with Calls() as calls:
            words.step()
    waits = {"aten._local_scalar_dense", "aten.nonzero", "aten.item", "aten.equal", "aten._assert_async"}
    assert calls.names & {"aten.index_copy_", "aten.scaled_dot_product_attention", "aten.mm", "aten.addmm"}
    assert calls.names & waits == set()
    assert calls.crossing == []
