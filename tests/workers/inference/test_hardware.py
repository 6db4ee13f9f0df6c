"""What a process computes on, and sizes that settings win."""

import re

import pytest
import torch

from settings import Settings, load_settings
from settings.errors import ServiceMissing
from workers.inference import hardware


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
    assert hardware.batch_sizes(with_gpu(), "cuda") == (hardware.GPU_BATCH_CLIP, hardware.GPU_BATCH_BLIP["cuda"])
    assert hardware.batch_sizes(with_gpu(), "cpu") == (2 * hardware.CPU_BATCH_CLIP, 2 * hardware.CPU_BATCH_BLIP)
    monkeypatch.setattr(hardware, "cores", lambda: 1)
    assert hardware.batch_sizes(with_gpu(), "cpu") == (hardware.CPU_BATCH_CLIP, hardware.CPU_BATCH_BLIP)


@pytest.mark.parametrize(("gibibytes", "pictures"), [(64, 256), (4, 32), (0, 1)])
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


@pytest.mark.skipif(torch.cuda.is_available(), reason="here torch can use its device")
@pytest.mark.parametrize("visible", ["0", "GPU-4f2a", "MIG-91c0"])
def test_a_worker_that_is_pinned_to_a_device_never_computes_on_the_cpu(
    visible: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    with pytest.raises(
        ServiceMissing, match=rf"^torch {re.escape(torch.__version__)} cannot use the device {visible} \("
    ):
        hardware.pick_device()


@pytest.mark.skipif(torch.cuda.is_available(), reason="here torch can use its device")
@pytest.mark.parametrize("visible", ["", "-1", None])
def test_a_worker_that_is_pinned_to_none_computes_on_the_cpu(
    visible: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert hardware.pick_device() == torch.device("cpu")


def test_the_machine_says_how_much_memory_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert hardware.memory("cpu") > 100 << 20


def test_a_number_in_the_settings_wins() -> None:
    settings = with_gpu(batch_clip=5, batch_blip=3, loaders=7, in_flight=11)
    assert hardware.batch_sizes(settings, "cuda") == (5, 3)
    assert hardware.loaders(settings) == 7
    assert hardware.in_flight(settings, 5) == 11


def test_torch_without_memory_on_a_cpu_is_out_of_memory() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert hardware.is_out_of_memory(caught.value)
    assert hardware.is_out_of_memory(torch.cuda.OutOfMemoryError())
    assert hardware.is_out_of_memory(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"))
    assert not hardware.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


def test_a_worker_holds_as_many_tasks_as_its_files_in_flight_are() -> None:
    settings = with_gpu(in_flight=96)
    assert hardware.task_threads(settings, False, 32) == 96
    assert hardware.task_threads(settings, True, 32) == 96 // 8
    many = settings.ingest.model_copy(update={"files_per_task": 96})
    assert hardware.task_threads(settings.model_copy(update={"ingest": many}), True, 32) == 2
