"""One worker a device, each with its own; nvidia-smi is a small script that lists as many GPUs as the test wants."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from settings.errors import ServiceMissing
from workers.supervisor.commands import gpu_specs
from workers.supervisor.devices import devices
from workers.supervisor.processes import spawn

Machine = Callable[[int], None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes this a machine with some GPUs."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def make(gpus: int) -> None:
        lines = "".join(f"GPU {n}: NVIDIA H100 80GB HBM3 (UUID: GPU-{n:04d})\n" for n in range(gpus))
        (tmp_path / "listing").write_text(lines)
        smi = tmp_path / "nvidia-smi"
        smi.write_text(f'#!/bin/sh\n[ "$1" = -L ] && while read line; do echo "$line"; done < {tmp_path}/listing\n')
        smi.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path))

    return make


def visible(wanted: str) -> list[tuple[str, str]]:
    return [(device.name, device.visible) for device in devices(wanted)]


def test_eight_devices_make_eight_workers_and_each_sees_exactly_its_own(machine: Machine) -> None:
    machine(8)
    specs = gpu_specs("auto")
    assert [spec.name for spec in specs] == [f"gpu{n}" for n in range(8)]
    assert [spec.env for spec in specs] == [{"CUDA_VISIBLE_DEVICES": str(n)} for n in range(8)]
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
    with pytest.raises(ServiceMissing, match=r"asks for 0, but this machine has no CUDA device: "):
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
