"""What this process may use of its machine: cores and memory, within its cgroup and beside the other GPU workers.

A container's limits are those of its cgroup. /proc still shows the whole machine there.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from settings.child_commands import GPU_WORKERS
from workers.inference.accelerators import device_bytes

PROC = Path("/proc/self")


def cores() -> int:
    """The number of cores that this process may keep busy, at least 1."""
    # A cpuset is in here; the time that a cgroup grants is not.
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min(allowed, _cpu_limit()) / _sharers()))


def memory(device_type: str) -> int:
    """The bytes of memory that this process may use of the device's; for a CPU of the machine's."""
    if device_type != "cpu":
        return device_bytes(device_type)
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 8 << 30
    return int(min(whole, _memory_limit())) // _sharers()


def _sharers() -> int:
    """The number of GPU workers of this machine, which its supervisor tells them."""
    told = os.environ.get(GPU_WORKERS, "")
    return max(1, int(told)) if told.isdecimal() else 1


def _cpu_limit() -> float:
    """The cores' worth of time that the cgroups of this process grant it."""
    granted = [_quotient(*_numbers(folder / "cpu.max")) for folder in _folders("cgroup2", "")]
    for folder in _folders("cgroup", "cpu"):
        granted.append(_quotient(*_numbers(folder / "cpu.cfs_quota_us"), *_numbers(folder / "cpu.cfs_period_us")))
    return min(granted, default=float("inf"))


def _memory_limit() -> float:
    """The bytes that the cgroups of this process grant it."""
    files = [folder / "memory.max" for folder in _folders("cgroup2", "")]
    files += [folder / "memory.limit_in_bytes" for folder in _folders("cgroup", "memory")]
    return min((number for file in files for number in _numbers(file) if number > 0), default=float("inf"))


def _quotient(*numbers: float) -> float:
    """The quota in periods; without a limit version 2 says "max" for the quota, version 1 says -1."""
    return numbers[0] / numbers[1] if len(numbers) == 2 and min(numbers) > 0 else float("inf")


def _numbers(file: Path) -> list[float]:
    try:
        return [float("inf") if word == "max" else float(word) for word in file.read_text().split()]
    except (OSError, ValueError):
        return []


def _folders(kind: str, controller: str) -> Iterator[Path]:
    """The cgroup of this process for a controller, and those above it, whose limits hold as well; the nearest first.

    `kind` is the type of the file system: cgroup2 has one tree for all controllers, cgroup one for each.
    """
    try:
        own = [line.split(":", 2) for line in (PROC / "cgroup").read_text().splitlines()]
        mounts = [line.split() for line in (PROC / "mountinfo").read_text().splitlines()]
    except OSError:  # not Linux
        return
    paths = [path for _, controllers, path in own if controller in controllers.split(",")]
    for mount in mounts:
        rest = mount[mount.index("-") + 1 :]
        if rest[0] != kind or (controller and controller not in rest[-1].split(",")):
            continue
        root, place = mount[3], Path(mount[4])
        for path in paths[:1]:
            # A container may see its own part of the tree alone, under a path that counts from the whole one.
            below = path.removeprefix(root) if root != "/" else path
            inner = Path(below.lstrip("/"))
            yield from (place / each for each in (inner, *inner.parents))
