"""One worker a device, each with its own; nvidia-smi is a small script that lists as many GPUs as the test wants."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from settings.errors import ServiceMissing
from workers.inference.accelerators import CUDA, MPS
from workers.inference.torch_answer import ask_torch, has_driver
from workers.supervisor.commands import gpu_specs
from workers.supervisor.devices import devices, processes_of
from workers.supervisor.processes import spawn

Machine = Callable[..., None]
A100 = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa)\n"
SLICES = "".join(f"  MIG 3g.20gb     Device  {n}: (UUID: MIG-{n:04d})\n" for n in range(2))
TORCH = """
class device:
    def __init__(self, type, index=0):
        self.type = type

class cuda:
    @staticmethod
    def init():
        if {reason!r}:
            raise RuntimeError({reason!r})

    @staticmethod
    def mem_get_info(number):
        return {free} << 30, 80 << 30

class xpu(cuda):
    pass

class mps:
    pass

class version:
    hip = {hip!r}

class accelerator:
    @staticmethod
    def current_accelerator(check_available):
        return None if {reason!r} else device({type!r})

    @staticmethod
    def device_count():
        return {count}

def get_device_module(type):
    return dict(cuda=cuda, xpu=xpu, mps=mps)[type]

__version__ = "2.0.0"
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes this a machine with these GPUs, or this list of nvidia-smi, whose torch can use them or says why not."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr("workers.supervisor.devices.has_driver", lambda: False)

    def make(gpus: int | str, reason: str = "", free: int = 0) -> None:
        made = [
            f"GPU {n}: NVIDIA H100 80GB HBM3 (UUID: GPU-{n:04d})\n" for n in range(0 if isinstance(gpus, str) else gpus)
        ]
        (tmp_path / "listing").write_text(gpus if isinstance(gpus, str) else "".join(made))
        smi = tmp_path / "nvidia-smi"
        smi.write_text(
            '#!/bin/sh\ncase "$1" in -L) list=listing;; *) list=free;; esac\n'
            f'while IFS= read -r line; do echo "$line"; done < {tmp_path}/$list\n'
        )
        (tmp_path / "free").write_text("".join(f"GPU-{n:04d}, {free << 10}\n" for n in range(len(made))))
        smi.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))
        torch_for(tmp_path, monkeypatch, len(made), reason)

    return make


def torch_for(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    count: int,
    reason: str = "",
    kind: str = "cuda",
    hip: str | None = None,
    free: int = 0,
) -> None:
    """The torch that child processes find from now on."""
    (folder / "torch.py").write_text(TORCH.format(count=count or 1, reason=reason, type=kind, hip=hip, free=free))
    monkeypatch.setenv("PYTHONPATH", str(folder))


def visible(wanted: str) -> list[tuple[str, str]]:
    return [(device.name, device.visible) for device in devices(wanted)]


def test_eight_devices_make_eight_workers_and_each_sees_exactly_its_own(machine: Machine) -> None:
    machine(8)
    specs = gpu_specs("auto")
    assert [spec.name for spec in specs] == [f"gpu{n}" for n in range(8)]
    assert [spec.env["CUDA_VISIBLE_DEVICES"] for spec in specs] == [str(n) for n in range(8)]
    assert {spec.env["DARKROOM_GPU_WORKERS"] for spec in specs} == {"8"}, "they share the cores and the memory"
    assert [spec.argv[-2:] for spec in specs] == [("--one", f"gpu{n}") for n in range(8)]
    assert gpu_specs("all") == specs


def test_each_of_eight_children_finds_exactly_its_own_device_in_its_environment(
    machine: Machine, tmp_path: Path
) -> None:
    machine(8)
    tell = (sys.executable, "-c", "import os; print(os.environ['CUDA_VISIBLE_DEVICES'])")
    children = []
    for spec in gpu_specs("all"):
        log = tmp_path / f"{spec.name}.log"
        own = replace(spec.on("host"), argv=tell)
        children.append((spec.name, log, spawn(own, log, tmp_path / f"{spec.name}.pid")))
    for _, _, child in children:
        assert child.wait(60) == 0
    assert {name: log.read_text() for name, log, _ in children} == {f"gpu{n}": f"{n}\n" for n in range(8)}


def test_without_a_device_one_worker_runs_on_the_cpu(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(0)
    assert visible("auto") == [("gpu0", "")]
    (tmp_path / "nvidia-smi").unlink()
    assert visible("auto") == [("gpu0", "")]


def test_an_nvidia_smi_without_a_driver_means_no_device(machine: Machine, tmp_path: Path) -> None:
    machine(2)
    (tmp_path / "nvidia-smi").write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    assert visible("auto") == [("gpu0", "")]


def test_the_cpu_may_be_chosen_on_a_machine_with_devices(machine: Machine) -> None:
    machine(2)
    assert visible("cpu") == [("gpu0", "")]


def test_named_devices_keep_their_numbers(machine: Machine) -> None:
    machine(4)
    assert visible("3,1,1") == [("gpu1", "1"), ("gpu3", "3")]


def test_a_device_that_is_not_there_is_named(machine: Machine) -> None:
    machine(2)
    with pytest.raises(ServiceMissing, match=r"asks for 0,2, but this machine has only the CUDA devices 0 to 1: "):
        devices("0,2")
    machine(0)
    with pytest.raises(ServiceMissing, match=r"asks for 0, but this machine has no device that torch computes on: "):
        devices("0")


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("2,3", [("gpu0", "2"), ("gpu1", "3")]),
        ("GPU-0002", [("gpu0", "GPU-0002")]),
        ("1,-1,0", [("gpu0", "1")]),
        ("-1", [("gpu0", "")]),
        ("", [("gpu0", "")]),
    ],
)
def test_an_existing_limit_is_respected(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, limit: str, expected: list[tuple[str, str]]
) -> None:
    machine(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", limit)
    assert visible("auto") == expected


def test_numbers_count_within_an_existing_limit(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert visible("1") == [("gpu1", "3")]


def test_all_devices_are_never_the_cpu(machine: Machine) -> None:
    machine(0)
    with pytest.raises(
        ServiceMissing, match=r"gpu.devices asks for all, but this machine has no device that torch computes on: "
    ):
        devices("all")


def test_eight_devices_that_torch_cannot_use_are_one_sentence(machine: Machine) -> None:
    machine(8, reason="The NVIDIA driver on your system is too old (found version 11040).\nPlease update")
    with pytest.raises(ServiceMissing) as caught:
        devices("auto")
    assert str(caught.value) == (
        "torch 2.0.0 cannot use the 8 devices of this machine (The NVIDIA driver on your system is too old (found "
        'version 11040)): install a torch for this machine\'s driver, or set gpu.devices to "cpu".'
    )
    assert visible("cpu") == [("gpu0", "")]


def test_a_torch_that_cannot_be_imported_is_told(machine: Machine, tmp_path: Path) -> None:
    machine(2)
    (tmp_path / "torch.py").write_text("raise OSError('libcudnn.so.9 is missing')")
    with pytest.raises(
        ServiceMissing, match=r"^torch cannot use the 2 devices .* \(OSError: libcudnn.so.9 is missing\): "
    ):
        devices("auto")


def test_without_nvidia_smi_torch_is_asked_where_there_is_a_driver(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(3)
    (tmp_path / "nvidia-smi").unlink()
    assert visible("auto") == [("gpu0", "")]
    monkeypatch.setattr("workers.supervisor.devices.has_driver", lambda: True)
    assert visible("auto") == [("gpu0", "0"), ("gpu1", "1"), ("gpu2", "2")]
    assert visible("2") == [("gpu2", "2")]
    assert visible("GPU-4f2a,1") == [("gpu0", "GPU-4f2a"), ("gpu1", "1")]
    torch_for(tmp_path, monkeypatch, 3, reason="No CUDA GPUs are available")
    assert visible("auto") == [("gpu0", "")]


KINDS = {
    "rocm": ("cuda", "6.4", "HIP_VISIBLE_DEVICES"),
    "xpu": ("xpu", None, "ZE_AFFINITY_MASK"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_devices_of_other_makers_are_pinned_by_their_own_variable(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    machine(0)
    of_torch, hip, variable = KINDS[kind]
    monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("workers.supervisor.devices.has_driver", lambda: True)
    torch_for(tmp_path, monkeypatch, 2, kind=of_torch, hip=hip)
    expected = [{"DARKROOM_DEVICE": kind, variable: str(number)} for number in range(2)]
    assert [{name: spec.env[name] for name in ("DARKROOM_DEVICE", variable)} for spec in gpu_specs("auto")] == expected
    assert all("CUDA_VISIBLE_DEVICES" not in spec.env for spec in gpu_specs("auto")), "it would hide them from HIP"
    monkeypatch.setenv(variable, "5,7")
    assert visible("auto") == [("gpu0", "5"), ("gpu1", "7")]
    assert visible("1") == [("gpu1", "7")]


def test_a_mac_has_one_device_and_nothing_to_pin(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(0)
    monkeypatch.setattr("workers.supervisor.devices.has_driver", lambda: True)
    torch_for(tmp_path, monkeypatch, 1, kind="mps")
    (spec,) = gpu_specs("auto", processes="auto")
    assert spec.name == "gpu0"
    assert spec.env == {"DARKROOM_DEVICE": "mps", "DARKROOM_GPU_WORKERS": "1", "DARKROOM_DEVICE_WORKERS": "1"}


def test_a_mac_of_apple_s_own_processor_may_have_what_torch_computes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    for processor, may in (("arm64", True), ("x86_64", False)):
        monkeypatch.setattr("platform.machine", lambda processor=processor: processor)
        assert has_driver() is may


def test_several_workers_of_a_device_have_names_of_their_own_and_share_all(machine: Machine) -> None:
    machine(2)
    specs = gpu_specs("auto", processes=3)
    assert [spec.name for spec in specs] == ["gpu0-1", "gpu0-2", "gpu0-3", "gpu1-1", "gpu1-2", "gpu1-3"]
    assert [spec.env["CUDA_VISIBLE_DEVICES"] for spec in specs] == ["0"] * 3 + ["1"] * 3
    assert {(spec.env["DARKROOM_GPU_WORKERS"], spec.env["DARKROOM_DEVICE_WORKERS"]) for spec in specs} == {("6", "3")}
    assert [spec.name for spec in gpu_specs("cpu", processes=2)] == ["gpu0-1", "gpu0-2"]


def test_auto_gives_a_device_more_workers_where_cores_and_its_memory_are_free(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.supervisor.devices.cores", lambda: 64)
    machine(2, free=30)
    assert [spec.name for spec in gpu_specs("auto", processes="auto")] == ["gpu0-1", "gpu0-2", "gpu1-1", "gpu1-2"]
    auto = processes_of("auto")
    assert auto(CUDA, 79 << 30, 1) == 4
    assert auto(CUDA, 79 << 30, 8) == 1
    assert auto(CUDA, 0, 1) == 1, "nobody says how much is free"
    assert auto(MPS, 79 << 30, 1) == 1


def test_each_slice_of_a_gpu_is_a_device_and_whole_ones_beside_them_go_by_their_uuid(machine: Machine) -> None:
    machine(A100 + SLICES)
    assert visible("auto") == [("gpu0", "MIG-0000"), ("gpu1", "MIG-0001")]
    machine(A100 + SLICES + "GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb)\n")
    assert visible("all") == [("gpu0", "MIG-0000"), ("gpu1", "MIG-0001"), ("gpu2", "GPU-bbbb")]
    assert visible("MIG-0001") == [("gpu1", "MIG-0001")]


def test_devices_are_named_by_their_uuid_or_its_beginning(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(4)
    assert visible("GPU-0003,GPU-0001") == [("gpu1", "1"), ("gpu3", "3")]
    with pytest.raises(ServiceMissing, match=r"asks for GPU-0009, but this machine has only the CUDA devices 0 to 3: "):
        devices("GPU-0009")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-0003")
    assert visible("GPU-0002") == [("gpu0", "2")]
    assert visible("GPU-0003") == [("gpu1", "GPU-0003")]
    with pytest.raises(ServiceMissing, match="asks for GPU-0001"):
        devices("GPU-0001")


def test_the_torch_of_this_machine_answers() -> None:
    answer = ask_torch()
    assert answer.version == torch.__version__
    assert bool(answer.devices) != bool(answer.reason)
    assert bool(answer.devices) == torch.cuda.is_available()
