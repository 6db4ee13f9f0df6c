"""The way of a batch onto a CUDA device, by a torch that computes shapes and places but no numbers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from pictures.preprocessing import ModelInput
from workers.inference.pixels import PixelFeed

CUDA = torch.device("cuda", 0)
TARGET = ModelInput(8, 8, 8, 3, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))


class Stream:
    """A CUDA stream that notes what is asked of it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name, self.notes = name, notes

    def wait_stream(self, other: "Stream") -> None:
        self.notes.append(f"{self.name} waits for {other.name}")


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens, in its order."""
    noted: list[str] = []
    compute = Stream("compute", noted)
    current = [compute]

    @contextmanager
    def stream(chosen: Stream) -> Iterator[None]:
        current.append(chosen)
        yield
        current.pop()

    moved = torch.Tensor.to

    def to(tensor: torch.Tensor, *arguments: Any, **options: Any) -> torch.Tensor:
        if arguments[0] == CUDA:
            way = "without waiting" if options.get("non_blocking") else "waiting"
            noted.append(f"{tensor.dtype} to the device on {current[-1].name} {way}")
        return moved(tensor, *arguments, **options)

    monkeypatch.setattr(torch.cuda, "Stream", lambda device: Stream("copies", noted))
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: current[-1])
    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(
        torch.Tensor, "record_stream", lambda tensor, used: noted.append(f"{tensor.device} kept for {used.name}")
    )
    return noted


def test_bytes_are_copied_on_a_stream_of_their_own_and_computed_on_when_they_are_there(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeTensorMode():
        feed = PixelFeed(CUDA, TARGET)
        monkeypatch.setattr(feed, "_stack", lambda pictures: torch.empty((2, 8, 8, 3), dtype=torch.uint8))
        pixels = feed([], torch.float16)
    assert notes == [
        "torch.uint8 to the device on copies without waiting",
        "compute waits for copies",
        "cuda:0 kept for compute",
    ]
    assert (pixels.device, pixels.dtype, pixels.shape) == (CUDA, torch.float16, (2, 3, 8, 8))
    assert pixels.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("device", [CUDA, torch.device("cpu")])
def test_batches_for_cuda_are_gathered_in_pinned_memory(
    device: torch.device, notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeTensorMode():
        feed = PixelFeed(device, TARGET)
    pinned = []
    empty = torch.empty

    def without_a_gpu(*arguments: Any, pin_memory: bool, **options: Any) -> torch.Tensor:
        pinned.append(pin_memory)
        return empty(*arguments, **options)

    monkeypatch.setattr(torch, "empty", without_a_gpu)
    pictures = [np.full((8, 8, 3), level, dtype=np.uint8) for level in (1, 2)]
    assert np.array_equal(feed._stack(pictures).numpy(), np.stack(pictures))
    assert pinned == [device.type == "cuda"]


def test_pictures_in_the_memory_of_loaders_are_copied_from_there_each_by_itself(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[tuple[int, bool]] = []

    def copy(row: torch.Tensor, picture: torch.Tensor, non_blocking: bool = False) -> None:
        assert (row.device, row.shape) == (CUDA, picture.shape)
        copied.append((picture.data_ptr(), non_blocking))

    # Made outside of the other torch, as a loader makes them.
    pictures = [np.full((8, 8, 3), number, np.uint8) for number in range(3)]
    tensors = {id(picture): torch.from_numpy(picture) for picture in pictures}
    monkeypatch.setattr(torch, "from_numpy", lambda picture: tensors[id(picture)])
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda tensor: True)
    monkeypatch.setattr(torch.Tensor, "copy_", copy)
    with FakeTensorMode():
        feed = PixelFeed(CUDA, TARGET)
        feed(pictures, torch.float16)
    assert copied == [(picture.ctypes.data, True) for picture in pictures]
    assert notes == ["compute waits for copies", "cuda:0 kept for compute"]
