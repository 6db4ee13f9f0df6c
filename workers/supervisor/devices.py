"""Which devices the GPU workers of this machine run on: one worker a device, and each sees only its own."""

import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from itertools import count

from settings.child_commands import GPU_WORKERS, child_environment
from settings.errors import ServiceMissing
from workers.inference.hardware import VISIBLE_DEVICES, unusable


@dataclass(frozen=True)
class Device:
    """The place of one GPU worker: its name, what CUDA may see there (nothing on the CPU), one of how many it is."""

    name: str
    visible: str
    of: int = 1

    @property
    def env(self) -> dict[str, str]:
        """The environment that pins a process to this device, whatever it imports later."""
        return {VISIBLE_DEVICES: self.visible, GPU_WORKERS: str(self.of)}


@dataclass(frozen=True)
class _Found:
    """A device of this machine: what to put into CUDA_VISIBLE_DEVICES for it, and its UUID if that is known."""

    visible: str
    uuid: str = ""

    def is_called(self, uuid: str) -> bool:
        """True if this is the device `uuid`, of which CUDA takes the beginning as well."""
        return (self.uuid or self.visible).startswith(uuid)


def devices(wanted: str) -> list[Device]:
    """The devices for `gpu.devices`.

    "auto" and "all" are every CUDA device, a slice of a GPU (MIG) being one; where there is none, "auto" is the CPU. Or
    those that are named, "0,1" or "GPU-<uuid>,MIG-<uuid>". Numbers count within an existing CUDA_VISIBLE_DEVICES, as
    they do for every CUDA program. Raises ServiceMissing for a device that this machine does not have, and for
    several devices that torch cannot use.
    """
    found = [] if wanted == "cpu" else _cuda_devices()
    if wanted == "cpu" or (wanted == "auto" and not found):
        return [Device("gpu0", "")]
    chosen = dict(enumerate(found)) if wanted in ("auto", "all") else _named(wanted, found)
    if not chosen:
        raise _missing(wanted, found)
    if len(chosen) > 1:
        # Of a single device its worker tells the same, and need not wait until torch has been loaded twice.
        answer = ask_torch()
        if not answer.devices:
            raise unusable(f"the {len(chosen)} devices of this machine", answer.version, answer.reason)
    return [Device(f"gpu{number}", each.visible, len(chosen)) for number, each in sorted(chosen.items())]


def _named(wanted: str, found: list[_Found]) -> dict[int, _Found]:
    chosen: dict[int, _Found] = {}
    numbers_only = all(not each.uuid and each.visible.isdecimal() for each in found)
    for name in sorted(wanted.split(","), key=lambda name: not name.isdecimal()):
        if found and numbers_only and not name.isdecimal():
            # Nobody has told the UUIDs here: CUDA finds the device, or its worker says that it does not.
            chosen[next(number for number in count() if number not in chosen)] = _Found(name)
            continue
        number = int(name) if name.isdecimal() else next((n for n, it in enumerate(found) if it.is_called(name)), -1)
        if not 0 <= number < len(found):
            raise _missing(wanted, found)
        chosen[number] = found[number]
    return chosen


def _missing(wanted: str, found: list[_Found]) -> ServiceMissing:
    have = f"only the CUDA devices 0 to {len(found) - 1}" if found else "no CUDA device"
    return ServiceMissing(f'gpu.devices asks for {wanted}, but this machine has {have}: set it to "auto" or "cpu".')


def _cuda_devices() -> list[_Found]:
    listed = _listed()
    limited = os.environ.get(VISIBLE_DEVICES)
    if limited is None:
        if not listed and has_driver():
            listed = [_Found(str(number)) for number in range(ask_torch().devices)]
        return listed
    # CUDA itself ignores everything from the first invalid entry on; "-1" is the usual way to write "none".
    entries = [entry.strip() for entry in limited.split(",")]
    valid = [bool(entry) and not entry.startswith("-") for entry in entries]
    entries = entries[: valid.index(False)] if False in valid else entries
    by_number = {each.visible: each for each in listed}
    return [replace(by_number.get(entry, _Found(entry)), visible=entry) for entry in entries]


def _listed() -> list[_Found]:
    """The devices that nvidia-smi lists; a GPU in slices is its slices."""
    # Asking torch would take seconds and memory.
    if not shutil.which("nvidia-smi"):
        return []
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    gpus: list[tuple[str, list[str]]] = []
    for line in listing.splitlines():
        uuid = re.search(r"\(UUID: ([^)\s]+)\)", line)
        if line.startswith("GPU "):
            gpus.append((uuid[1] if uuid else "", []))
        elif gpus and uuid and line.lstrip().startswith("MIG "):
            gpus[-1][1].append(uuid[1])
    if not any(slices for _, slices in gpus):
        return [_Found(str(number), uuid) for number, (uuid, _) in enumerate(gpus)]
    # A slice has no number for CUDA.
    return [_Found(each, each) for uuid, slices in gpus for each in slices or [uuid]]


def has_driver() -> bool:
    """True if this machine has a driver that torch may compute with: NVIDIA's, or AMD's (ROCm)."""
    if os.path.exists("/dev/kfd"):
        return True
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class TorchAnswer:
    """How many devices torch can use, its version, and why it can use none."""

    devices: int
    version: str
    reason: str


TORCH_SECONDS = 120
_QUESTION = """
import json, torch
reason = ""
try:
    torch.cuda.init()
except (AssertionError, RuntimeError) as error:
    reason = str(error).partition("\\n")[0]
print(json.dumps([0 if reason else torch.cuda.device_count(), torch.__version__, reason]))
"""


def ask_torch() -> TorchAnswer:
    """Ask torch in a process of its own: this one must neither load CUDA nor keep torch in memory."""
    command = (sys.executable, "-P", "-c", _QUESTION)
    try:
        done = subprocess.run(command, env=child_environment(), capture_output=True, text=True, timeout=TORCH_SECONDS)
    except subprocess.TimeoutExpired:
        return TorchAnswer(0, "", f"it did not answer within {TORCH_SECONDS} s")
    if done.returncode:
        return TorchAnswer(0, "", (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return TorchAnswer(*json.loads(done.stdout.splitlines()[-1]))
