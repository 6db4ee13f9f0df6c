"""Which devices the GPU workers of this machine run on: each worker has one, and sees only its own."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal

from settings.child_commands import DEVICE_KIND, DEVICE_WORKERS, GPU_WORKERS
from settings.errors import ServiceMissing
from workers.inference.accelerators import CPU, CUDA, KINDS, MPS, VISIBLE_DEVICES, DeviceKind
from workers.inference.hardware import unusable
from workers.inference.machine import cores
from workers.inference.torch_answer import ask_torch, has_driver

# One process ends near 2,400 files a second, and a core decodes about 150 pictures of 2 MP: sixteen cores feed one.
CORES_OF_A_PROCESS = 16
# Of the memory that is free on a device: the models in half precision, what CUDA itself takes, and batches.
BYTES_OF_A_PROCESS = 12 << 30
MOST_PROCESSES = 4
# The kind of a device, the free bytes of its memory, and how many devices there are -> how many workers it gets.
Processes = Callable[[DeviceKind, int, int], int]


@dataclass(frozen=True)
class Device:
    """The place of one GPU worker: its name, the kind of its device, what it may see of those (nothing on the CPU), one
    of how many workers of this machine it is, and one of how many on this device.
    """

    name: str
    visible: str
    of: int = 1
    kind: DeviceKind = CPU
    processes: int = 1

    @property
    def env(self) -> dict[str, str]:
        """The environment that pins a process to this device, whatever it imports later."""
        env = {DEVICE_KIND: self.kind.name, GPU_WORKERS: str(self.of), DEVICE_WORKERS: str(self.processes)}
        # What computes elsewhere must not load CUDA, which takes memory of the device.
        return {VISIBLE_DEVICES: "", **env} if self.kind is CPU else {**env, **self._pin()}

    def _pin(self) -> dict[str, str]:
        return {self.kind.pinned_by: self.visible} if self.kind.pinned_by else {}


@dataclass(frozen=True)
class _Found:
    """A device of this machine: what to put into the variable of its kind for it, its UUID if that is known, and how
    many bytes of its memory are free, 0 if nobody has said that.
    """

    visible: str
    uuid: str = ""
    free: int = 0

    def is_called(self, uuid: str) -> bool:
        """True if this is the device `uuid`, of which CUDA takes the beginning as well."""
        return (self.uuid or self.visible).startswith(uuid)


@dataclass(frozen=True)
class _Machine:
    """The kind of the devices of this machine, those that its workers may use, and whether torch has named them."""

    kind: DeviceKind
    found: list[_Found] = field(default_factory=list)
    is_usable: bool = False


def processes_of(setting: int | Literal["auto"]) -> Processes:
    """How many workers a device gets by `gpu.processes`.

    "auto" is one on a CPU and on a Mac, and elsewhere one for every sixteen cores that the device has to itself and
    every 12 GiB that are free on it, four at most; one where nobody says how much is free.
    """

    def count(kind: DeviceKind, free: int, devices: int) -> int:
        if setting != "auto":
            return setting
        if kind in (CPU, MPS):
            return 1
        return max(1, min(cores() // devices // CORES_OF_A_PROCESS, free // BYTES_OF_A_PROCESS, MOST_PROCESSES))

    return count


def devices(wanted: str, processes: Processes = lambda kind, free, count: 1) -> list[Device]:
    """The places of GPU workers for `gpu.devices`.

    "auto" and "all" are every device of the accelerator that this machine has, a slice of a GPU (MIG) being one; where
    there is none, "auto" is the CPU. Or those that are named, "0,1" or "GPU-<uuid>,MIG-<uuid>". Numbers count within an
    existing CUDA_VISIBLE_DEVICES, or what other kinds have in its place. `processes` says how many workers a device
    gets, by its kind, its free memory in bytes and the count of devices; they are called gpu0-1, gpu0-2 where a device
    has several. Raises ServiceMissing for a device that this machine does not have, and for several devices that torch
    cannot use.
    """
    machine = _Machine(CPU) if wanted == "cpu" else _machine()
    found = machine.found
    if wanted == "cpu" or (wanted == "auto" and not found):
        return _places({0: _Found("")}, CPU, processes)
    chosen = dict(enumerate(found)) if wanted in ("auto", "all") else _named(wanted, machine)
    if not chosen:
        raise _missing(wanted, machine)
    if len(chosen) > 1 and not machine.is_usable:
        # Of a single device its worker tells the same, and need not wait until torch has been loaded twice.
        answer = ask_torch()
        if not answer.devices:
            raise unusable(f"the {len(chosen)} devices of this machine", answer.version, answer.reason)
    return _places(chosen, machine.kind, processes)


def _places(chosen: dict[int, _Found], kind: DeviceKind, processes: Processes) -> list[Device]:
    counts = {number: processes(kind, each.free, len(chosen)) for number, each in sorted(chosen.items())}
    return [
        Device(
            f"gpu{number}" if several == 1 else f"gpu{number}-{place}",
            chosen[number].visible,
            sum(counts.values()),
            kind,
            several,
        )
        for number, several in counts.items()
        for place in range(1, several + 1)
    ]


def _named(wanted: str, machine: _Machine) -> dict[int, _Found]:
    found = machine.found
    chosen: dict[int, _Found] = {}
    numbers_only = all(not each.uuid and each.visible.isdecimal() for each in found)
    for name in sorted(wanted.split(","), key=lambda name: not name.isdecimal()):
        if found and numbers_only and not name.isdecimal():
            # Nobody has told the UUIDs here: CUDA finds the device, or its worker says that it does not.
            chosen[next(number for number in count() if number not in chosen)] = _Found(name)
            continue
        number = int(name) if name.isdecimal() else next((n for n, it in enumerate(found) if it.is_called(name)), -1)
        if not 0 <= number < len(found):
            raise _missing(wanted, machine)
        chosen[number] = found[number]
    return chosen


def _missing(wanted: str, machine: _Machine) -> ServiceMissing:
    kind, found = machine.kind, machine.found
    title = CUDA.title if kind is CPU else kind.title
    have = f"only the {title} devices 0 to {len(found) - 1}" if found else "no device that torch computes on"
    return ServiceMissing(f'gpu.devices asks for {wanted}, but this machine has {have}: set it to "auto" or "cpu".')


def _machine() -> _Machine:
    limited = os.environ.get(VISIBLE_DEVICES)
    listed = _listed()
    if limited is not None:
        # CUDA itself ignores everything from the first invalid entry on; "-1" is the usual way to write "none".
        by_number = {each.visible: each for each in listed}
        entries = _entries(limited)
        if listed or not entries:
            return _Machine(CUDA, [replace(by_number.get(entry, _Found(entry)), visible=entry) for entry in entries])
    if listed:
        return _Machine(CUDA, listed)
    answer = ask_torch() if has_driver() else None
    if answer is None or not answer.devices:
        # What somebody has named is there for CUDA, or its worker says why not.
        return _Machine(CUDA, [_Found(entry) for entry in _entries(limited or "")])
    kind = KINDS[answer.kind]
    limit = next((os.environ[name] for name in kind.limits if name in os.environ), None)
    names = _entries(limit) if limit is not None else [str(number) for number in range(answer.devices)]
    return _Machine(kind, [_Found(name, free=free) for name, free in zip(names, answer.free, strict=False)], True)


def _entries(limit: str) -> list[str]:
    entries = [entry.strip() for entry in limit.split(",")]
    valid = [bool(entry) and not entry.startswith("-") for entry in entries]
    return entries[: valid.index(False)] if False in valid else entries


def _listed() -> list[_Found]:
    """The devices that nvidia-smi lists; a GPU in slices is its slices."""
    # Asking torch would take seconds and memory.
    gpus: list[tuple[str, list[str]]] = []
    for line in _nvidia_smi("-L"):
        uuid = re.search(r"\(UUID: ([^)\s]+)\)", line)
        if line.startswith("GPU "):
            gpus.append((uuid[1] if uuid else "", []))
        elif gpus and uuid and line.lstrip().startswith("MIG "):
            gpus[-1][1].append(uuid[1])
    if not any(slices for _, slices in gpus):
        free = _free() if gpus else {}
        return [_Found(str(number), uuid, free.get(uuid, 0)) for number, (uuid, _) in enumerate(gpus)]
    # A slice has no number for CUDA, and nvidia-smi says no more of it.
    return [_Found(each, each) for uuid, slices in gpus for each in slices or [uuid]]


def _free() -> dict[str, int]:
    """UUID -> the free bytes of each GPU, as nvidia-smi tells them in MiB."""
    rows = [line.split(",") for line in _nvidia_smi("--query-gpu=uuid,memory.free", "--format=csv,noheader,nounits")]
    return {row[0].strip(): int(row[1]) << 20 for row in rows if len(row) == 2 and row[1].strip().isdecimal()}


def _nvidia_smi(*question: str) -> list[str]:
    if not shutil.which("nvidia-smi"):
        return []
    try:
        answer = subprocess.run(["nvidia-smi", *question], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return answer.stdout.splitlines()
