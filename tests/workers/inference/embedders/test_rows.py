"""Features as rows of length one, and their way back from a device with streams, by a torch that notes the order."""

from typing import Any

import numpy as np
import pytest
import torch

from workers.inference.embedders import rows
from workers.inference.embedders.rows import unit_rows

FEATURES = torch.tensor([[3.0, 4.0], [0.0, 2.0]], dtype=torch.bfloat16)
RIGHT = np.array([[0.6, 0.8], [0.0, 1.0]], np.float32)


def test_rows_have_length_one_in_float32() -> None:
    found = unit_rows(FEATURES)
    assert found.dtype == np.float32
    assert np.allclose(found, RIGHT, atol=1e-6)


def test_from_a_device_with_streams_they_are_copied_without_holding_it_up_and_awaited_by_an_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    notes: list[str] = []
    empty, copy = torch.empty, torch.Tensor.copy_
    made: list[torch.Tensor] = []

    class Event:
        def __init__(self, device: torch.device, blocking: bool) -> None:
            notes.append(f"an event, {'sleeping' if blocking else 'spinning'}")

        def record(self) -> None:
            notes.append("recorded")

        def synchronize(self) -> None:
            notes.append("awaited")

    def pinned(shape: Any, dtype: torch.dtype, pin_memory: bool) -> torch.Tensor:
        notes.append("pinned" if pin_memory else "pageable")
        made.append(empty(shape, dtype=dtype))
        return made[0]

    def copied(to: torch.Tensor, of: torch.Tensor, non_blocking: bool = False) -> torch.Tensor:
        notes.append("copied without waiting" if non_blocking else "copied")
        return copy(to, of)

    monkeypatch.setattr(rows, "STREAMING", ("cpu",))
    monkeypatch.setattr(torch, "empty", pinned)
    monkeypatch.setattr(torch.Tensor, "copy_", copied)
    monkeypatch.setattr(torch, "Event", Event)
    found = unit_rows(FEATURES)
    assert np.allclose(found, RIGHT, atol=1e-6)
    assert notes == ["pinned", "copied without waiting", "an event, sleeping", "recorded", "awaited"]
    made[0].zero_()
    assert np.allclose(found, RIGHT, atol=1e-6), "the pinned memory is used again for a later batch"
