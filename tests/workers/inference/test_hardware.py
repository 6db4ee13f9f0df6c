"""What a process computes on: sizes that settings win, and precision by what is faster."""

import pytest
import torch

from settings import Settings, load_settings
from workers.inference import hardware

CPU = torch.device("cpu")


def with_gpu(**values: object) -> Settings:
    """The settings of the tests with other values in [gpu]."""
    settings = load_settings()
    return settings.model_copy(update={"gpu": settings.gpu.model_copy(update=values)})


ROOMY = 64 << 30


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A device with two cores and memory for every batch."""
    monkeypatch.setattr(hardware, "memory", lambda device_type: ROOMY)
    monkeypatch.setattr(hardware, "cores", lambda: 2)


def test_automatic_batches_follow_the_device_and_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hardware.batch_sizes(with_gpu(), "cuda") == (hardware.GPU_BATCH_CLIP, hardware.GPU_BATCH_BLIP)
    assert hardware.batch_sizes(with_gpu(), "cpu") == (2 * hardware.CPU_BATCH_CLIP, 2 * hardware.CPU_BATCH_BLIP)
    monkeypatch.setattr(hardware, "cores", lambda: 1)
    assert hardware.batch_sizes(with_gpu(), "cpu") == (hardware.CPU_BATCH_CLIP, hardware.CPU_BATCH_BLIP)


@pytest.mark.parametrize(("gibibytes", "pictures"), [(64, 32), (4, 10), (0, 1)])
def test_captions_take_a_quarter_of_the_memory_at_most(
    gibibytes: int, pictures: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "memory", lambda device_type: gibibytes << 30)
    assert hardware.batch_sizes(with_gpu(), "cuda")[1] == pictures
    assert hardware.batch_sizes(with_gpu(batch_blip=64), "cuda")[1] == 64


@pytest.mark.parametrize(
    ("cores", "torch_threads", "parts"),
    [
        (1, "auto", (1, 1)),
        (2, "auto", (2, 1)),
        (4, "auto", (4, 1)),
        (32, "auto", (4, 8)),
        (2, 1, (1, 1)),
        (2, 6, (4, 1)),
    ],
)
def test_each_core_has_a_forward_pass_of_its_own_while_cores_are_few(
    cores: int, torch_threads: object, parts: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "cores", lambda: cores)
    assert hardware.parallel_batches(with_gpu(torch_threads=torch_threads), "cpu") == parts
    assert hardware.parallel_batches(with_gpu(torch_threads=torch_threads), "cuda")[0] == 1


def test_the_machine_says_how_much_memory_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert hardware.memory("cpu") > 100 << 20


def test_a_number_in_the_settings_wins() -> None:
    settings = with_gpu(batch_clip=5, batch_blip=3, loaders=7, in_flight=11)
    assert hardware.batch_sizes(settings, "cuda") == (5, 3)
    assert hardware.loaders(settings) == 7
    assert hardware.in_flight(settings, 5) == 11


def unprobed(dtype: torch.dtype) -> float:
    """A probe that nobody may ask."""
    raise AssertionError("probed")


def test_a_precision_that_is_named_is_not_probed() -> None:
    assert hardware.pick_dtype("bfloat16", CPU, unprobed) == torch.bfloat16
    assert hardware.pick_dtype("float16", torch.device("cuda", 0), unprobed) == torch.float16


def test_without_bfloat16_in_hardware_float32_is_taken_unprobed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda: False)
    assert hardware.pick_dtype("auto", CPU, unprobed) == torch.float32


@pytest.mark.parametrize(("device", "half"), [(CPU, torch.bfloat16), (torch.device("cuda", 0), torch.float16)])
@pytest.mark.parametrize(("seconds", "faster"), [(1.0, True), (1.9, False), (3.0, False)])
def test_a_lower_precision_must_be_clearly_faster(
    device: torch.device, half: torch.dtype, seconds: float, faster: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "has_fast_bfloat16", lambda: True)
    picked = hardware.pick_dtype("auto", device, {half: seconds, torch.float32: 2.0}.__getitem__)
    assert picked == (half if faster else torch.float32)


def test_torch_without_memory_on_a_cpu_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert hardware.is_out_of_memory(caught.value)
    assert hardware.is_out_of_memory(torch.cuda.OutOfMemoryError())
    assert hardware.is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not hardware.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
