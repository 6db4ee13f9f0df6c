"""The slots that pictures lie in between their loader and the models."""

import gc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from pictures.preprocessing import ModelInput, WholeInput
from workers.gpu.loading.picture_loader import Inputs
from workers.gpu.loading.slots import SharedSlots, slot_bytes

GREY = (0.5, 0.5, 0.5)
CLIP = ModelInput(8, 8, 8, 3, GREY, GREY)
BLIP = ModelInput(16, 16, (16, 16), 3, GREY, GREY)
BOTH = Inputs(CLIP, BLIP)


def test_a_slot_is_as_large_as_the_largest_picture_of_its_model() -> None:
    assert (slot_bytes(CLIP), slot_bytes(BLIP), slot_bytes(WholeInput(100))) == (192, 768, 30_000)


def test_a_slot_is_free_again_when_nobody_holds_its_picture() -> None:
    slots = SharedSlots(1, pinned=False)
    taken = slots.take(BOTH, wait=False)
    assert taken is not None
    assert slots.take(BOTH, wait=False) is None
    clip, blip, text = taken.pictures([(8, 8, 3), (16, 16, 3), None])
    assert text is None
    taken.give_back()
    assert slots.take(BOTH, wait=False) is None, "the pictures are still held"
    gc.disable()
    try:
        assert clip is not None
        part = clip[:4].transpose(2, 0, 1)
        del clip, blip
        assert slots.take(BOTH, wait=False) is None, "a part of one is still held"
        assert part.shape == (3, 4, 8)
        del part
        assert slots.take(BOTH, wait=False) is not None
    finally:
        gc.enable()


def test_no_two_slots_share_a_byte_whatever_models_there_are() -> None:
    slots = SharedSlots(3, pinned=False)
    taken = [slots.take(Inputs(CLIP, BLIP, WholeInput(5)), wait=False) for _ in range(3)]
    spans = sorted(
        (offset, offset + size)
        for each in taken
        if each is not None
        for offset, size in zip(each.offsets, (192, 768, 75), strict=True)
        if offset is not None
    )
    assert len(spans) == 9
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))


def test_whoever_lacks_one_slot_takes_none_unless_it_waits() -> None:
    slots = SharedSlots(1, pinned=False)
    other = slots.take(Inputs(CLIP, None), wait=False)
    assert other is not None
    assert slots.take(BOTH, wait=False) is None
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(slots.take, BOTH, True)
        other.give_back()
        assert waiting.result(30) is not None


@pytest.mark.parametrize("error", [0, 2])
def test_on_cuda_the_memory_of_each_model_is_pinned_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: int
) -> None:
    asked: list[tuple[int, int, int]] = []

    def register(pointer: int, size: int, flags: int) -> int:
        asked.append((pointer, size, flags))
        return error

    monkeypatch.setattr(torch.cuda, "cudart", lambda: SimpleNamespace(cudaHostRegister=register))
    slots = SharedSlots(4, pinned=True)
    taken = [slots.take(BOTH, wait=False) for _ in range(3)]
    assert all(taken)
    assert [(size, flags) for _, size, flags in asked] == [(4 * 192, 0), (4 * 768, 0)]
    assert all(pointer % 4096 == 0 for pointer, _, _ in asked), "CUDA pins whole pages"
    assert ("CUDA error 2" in caplog.text) == bool(error)
