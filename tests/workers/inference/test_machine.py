"""The cores and the memory that a process may use: of its affinity, of its cgroups, and beside its neighbours."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.inference import machine

GIB = 1 << 30
WHOLE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture(autouse=True)
def sixty_four_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine of 64 cores whose processes are in no cgroup, alone on it."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(64)))
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.delenv("DARKROOM_GPU_WORKERS", raising=False)


def make(folder: Path, cgroup: str, mounts: list[tuple[str, str, str]], files: dict[str, str]) -> None:
    """The files of a process: its cgroups, where their trees are mounted (root, place, "type - options"), limits."""
    proc = folder / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text(cgroup)
    lines = ["22 1 0:20 / / rw - ext4 /dev/sda rw"]
    for root, place, kind in mounts:
        kind, options = kind.split(" - ")
        lines.append(f"31 23 0:28 {root} {folder / place} rw,nosuid shared:9 - {kind} {kind} {options}")
    (proc / "mountinfo").write_text("\n".join(lines) + "\n")
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def second(folder: Path, path: str = "/", root: str = "/", **files: str) -> None:
    """Version 2, one tree; a file such as `a__cpu_max` is a/cpu.max."""
    names = {f"tree/{name.replace('__', '/').replace('_', '.')}": text for name, text in files.items()}
    make(folder, f"0::{path}\n", [(root, "tree", "cgroup2 - rw")], names)


def test_without_a_limit_all_cores_and_all_memory_may_be_used(tmp_path: Path) -> None:
    assert (machine.cores(), machine.memory("cpu")) == (64, WHOLE)
    second(tmp_path, cpu_max="max 100000\n", memory_max="max\n")
    assert (machine.cores(), machine.memory("cpu")) == (64, WHOLE)


@pytest.mark.parametrize(("quota", "cores"), [("200000 100000", 2), ("250000 100000", 2), ("20000 100000", 1)])
def test_a_container_uses_the_cores_that_it_is_granted(tmp_path: Path, quota: str, cores: int) -> None:
    second(tmp_path, cpu_max=quota)
    assert machine.cores() == cores


def test_a_container_uses_the_memory_that_it_is_granted(tmp_path: Path) -> None:
    second(tmp_path, memory_max=f"{GIB}\n")
    assert machine.memory("cpu") == min(GIB, WHOLE)


def test_the_limits_of_the_cgroups_above_hold_as_well(tmp_path: Path) -> None:
    second(tmp_path, "/pod/app", cpu_max="max 100000", pod__cpu_max="300000 100000", pod__app__cpu_max="800000 100000")
    assert machine.cores() == 3


def test_a_container_that_sees_its_own_part_of_the_tree_alone_finds_it(tmp_path: Path) -> None:
    second(tmp_path, "/docker/abc/inner", root="/docker/abc", inner__cpu_max="500000 100000", cpu_max="400000 100000")
    assert machine.cores() == 4


def test_the_first_version_of_cgroups_has_a_tree_for_each_controller(tmp_path: Path) -> None:
    make(
        tmp_path,
        "5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n",
        [
            ("/docker/abc", "cpu", "cgroup - rw,cpu,cpuacct"),
            ("/", "memory", "cgroup - rw,memory"),
            ("/", "unified", "cgroup2 - rw"),
        ],
        {
            "cpu/cpu.cfs_quota_us": "600000\n",
            "cpu/cpu.cfs_period_us": "100000\n",
            "memory/memory.limit_in_bytes": "9223372036854771712\n",
            "memory/docker/abc/memory.limit_in_bytes": f"{GIB}\n",
        },
    )
    assert (machine.cores(), machine.memory("cpu")) == (6, min(GIB, WHOLE))
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text("-1\n")
    assert machine.cores() == 64


@pytest.mark.parametrize(("workers", "cores"), [("", 64), ("1", 64), ("8", 8), ("7", 9), ("100", 1)])
def test_the_workers_of_a_machine_share_it(monkeypatch: pytest.MonkeyPatch, workers: str, cores: int) -> None:
    monkeypatch.setenv("DARKROOM_GPU_WORKERS", workers)
    assert machine.cores() == cores
    assert machine.memory("cpu") == WHOLE // int(workers or 1)


def test_they_share_what_their_container_is_granted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    second(tmp_path, cpu_max="500000 100000", memory_max=str(GIB))
    monkeypatch.setenv("DARKROOM_GPU_WORKERS", "2")
    assert (machine.cores(), machine.memory("cpu")) == (2, min(GIB, WHOLE) // 2)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_on_one_core_uses_one() -> None:
    script = (
        "import os; from workers.inference.machine import cores\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); print(cores())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
