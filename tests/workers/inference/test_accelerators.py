"""Each kind of device by a torch that says it has one: what is asked of it, and what its errors mean."""

from types import SimpleNamespace

import pytest
import torch

from settings.errors import ServiceMissing
from workers.inference import accelerators
from workers.inference.accelerators import (
    CPU,
    CUDA,
    MPS,
    ROCM,
    XPU,
    device_bytes,
    empty_cache,
    half_precision_of,
    is_out_of_memory,
    keep_to_share,
    kind_here,
    kind_told,
)
from workers.inference.hardware import device_type, pick_device


@pytest.fixture(autouse=True)
def told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DARKROOM_DEVICE", "DARKROOM_DEVICE_WORKERS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)


def with_torch_for(monkeypatch: pytest.MonkeyPatch, kind: accelerators.DeviceKind) -> None:
    found = None if kind is CPU else torch.device(kind.type)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: found)
    monkeypatch.setattr(torch.version, "hip", "6.4" if kind is ROCM else None)


@pytest.mark.parametrize("kind", accelerators.KINDS.values(), ids=lambda kind: kind.name)
def test_a_worker_computes_on_what_torch_has_and_on_nothing_else_if_its_supervisor_says_so(
    kind: accelerators.DeviceKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_torch_for(monkeypatch, kind)
    assert kind_here() is kind
    assert pick_device().type == kind.type == device_type()
    monkeypatch.setenv("DARKROOM_DEVICE", kind.name)
    assert pick_device().type == kind.type
    monkeypatch.setenv("DARKROOM_DEVICE", "cpu")
    assert pick_device().type == "cpu"
    if kind is not CPU:
        monkeypatch.setenv("DARKROOM_DEVICE", kind.name)
        with_torch_for(monkeypatch, CPU)
        with pytest.raises(ServiceMissing, match=rf"cannot use a device of {kind.title} \(.+set gpu.devices to"):
            pick_device()


@pytest.mark.parametrize(("visible", "told"), [(None, None), ("", CPU), ("-1", CPU), ("0", CUDA)])
def test_cuda_visible_devices_of_a_person_counts_where_no_supervisor_has_said_more(
    visible: str | None, told: accelerators.DeviceKind | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert kind_told() is told
    monkeypatch.setenv("DARKROOM_DEVICE", "xpu")
    assert kind_told() is XPU


@pytest.mark.parametrize(
    ("architecture", "half"),
    [("gfx90a:sramecc+:xnack-", torch.bfloat16), ("gfx1100", torch.bfloat16), ("gfx1030", torch.float16)],
)
def test_an_amd_device_computes_in_bfloat16_where_it_multiplies_it(
    architecture: str, half: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_torch_for(monkeypatch, ROCM)
    properties = SimpleNamespace(gcnArchName=architecture)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: properties)
    assert half_precision_of(torch.device("cuda", 0)) == half


def test_the_half_precision_of_intel_s_and_apple_s_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_bfloat16, half in ((True, torch.bfloat16), (False, torch.float16)):
        monkeypatch.setattr(torch.xpu, "is_bf16_supported", lambda including_emulation, has=has_bfloat16: has)
        assert half_precision_of(torch.device("xpu", 0)) == half
    assert half_precision_of(torch.device("mps", 0)) == torch.float16


def test_several_processes_of_a_device_divide_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (70 << 30, 80 << 30))
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 12 << 30)
    shares: list[float] = []
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", shares.append)
    keep_to_share(torch.device("cuda", 0))
    assert (device_bytes("cuda"), device_bytes("mps"), shares) == (80 << 30, 12 << 30, [])
    monkeypatch.setenv("DARKROOM_DEVICE_WORKERS", "4")
    keep_to_share(torch.device("cuda", 0))
    keep_to_share(torch.device("cpu"))
    assert (device_bytes("cuda"), shares) == (20 << 30, [0.25])


@pytest.mark.parametrize("kind", [CUDA, ROCM, XPU, MPS], ids=lambda kind: kind.name)
def test_what_torch_keeps_of_the_memory_is_given_back_to_the_device_that_it_is_of(
    kind: accelerators.DeviceKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_torch_for(monkeypatch, kind)
    given: list[str] = []
    for name in ("cuda", "xpu", "mps"):
        monkeypatch.setattr(getattr(torch, name), "empty_cache", lambda name=name: given.append(name))
    empty_cache()
    assert given == [kind.type]


@pytest.mark.parametrize(
    "text",
    [
        "CUDA error: out of memory",
        "HIP error: out of memory",
        "MPS backend out of memory (MPS allocated: 8.00 GiB, other allocations: 1 GiB, max allowed: 9.07 GiB)",
        "level_zero backend failed with error: 39 (UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY)",
    ],
)
def test_each_kind_says_in_its_own_words_that_it_is_out_of_memory(text: str) -> None:
    assert is_out_of_memory(RuntimeError(text))
    assert is_out_of_memory(torch.OutOfMemoryError("XPU out of memory"))
    assert not is_out_of_memory(ValueError(text))
