"""What a process computes on: sizes that settings win, and precision by what is faster."""

import pytest
import torch

from settings import Settings, load_settings
from workers.gpu import hardware

CPU = torch.device("cpu")


def with_gpu(**values: object) -> Settings:
    """The settings of the tests with other values in [gpu]."""
    settings = load_settings()
    return settings.model_copy(update={"gpu": settings.gpu.model_copy(update=values)})


def test_automatic_batches_are_larger_on_a_gpu() -> None:
    assert hardware.batch_sizes(with_gpu(), "cpu") == (hardware.CPU_BATCH_CLIP, hardware.CPU_BATCH_BLIP)
    assert hardware.batch_sizes(with_gpu(), "cuda") == (hardware.GPU_BATCH_CLIP, hardware.GPU_BATCH_BLIP)


def test_a_number_in_the_settings_wins() -> None:
    settings = with_gpu(batch_clip=5, batch_blip=3, loaders=7, in_flight=11)
    assert hardware.batch_sizes(settings, "cuda") == (5, 3)
    assert hardware.loaders(settings) == 7
    assert hardware.in_flight(settings, 5) == 11


def test_a_precision_that_is_named_is_not_probed() -> None:
    def seconds(dtype: torch.dtype) -> float:
        raise AssertionError("probed")

    assert hardware.pick_dtype("bfloat16", CPU, seconds) == torch.bfloat16
    assert hardware.pick_dtype("auto", torch.device("cuda", 0), seconds) == torch.float16


@pytest.mark.parametrize(("bfloat16", "picked"), [(1.0, torch.bfloat16), (1.9, torch.float32), (3.0, torch.float32)])
def test_a_lower_precision_must_be_clearly_faster(
    bfloat16: float, picked: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda: True)
    assert hardware.pick_dtype("auto", CPU, {torch.bfloat16: bfloat16, torch.float32: 2.0}.__getitem__) == picked


def test_torch_without_memory_on_a_cpu_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert hardware.is_out_of_memory(caught.value)
    assert hardware.is_out_of_memory(torch.cuda.OutOfMemoryError())
    assert not hardware.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
