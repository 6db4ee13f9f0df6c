"""Which devices the GPU workers of this machine run on: one worker a device, and each sees only its own."""

import os
import shutil
import subprocess
from dataclasses import dataclass

from settings.errors import ServiceMissing

VARIABLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class Device:
    """The place of one GPU worker: its name, and what CUDA may see there (nothing on the CPU)."""

    name: str
    visible: str

    @property
    def env(self) -> dict[str, str]:
        """The environment that pins a process to this device, whatever it imports later."""
        return {VARIABLE: self.visible}


def devices(wanted: str) -> list[Device]:
    """The devices for `gpu.devices`: every CUDA device for "auto" and "all", else the CPU; or those numbered "0,1".

    Numbers count within an existing CUDA_VISIBLE_DEVICES, as they do for every CUDA program. Raises ServiceMissing for
    a number that this machine does not have.
    """
    found = [] if wanted == "cpu" else _cuda_devices()
    if wanted in ("auto", "all", "cpu"):
        return [Device(f"gpu{number}", visible) for number, visible in enumerate(found)] or [Device("gpu0", "")]
    numbers = sorted({int(number) for number in wanted.split(",")})
    if numbers[-1] >= len(found):
        have = f"only the CUDA devices 0 to {len(found) - 1}" if found else "no CUDA device"
        raise ServiceMissing(f'gpu.devices asks for {wanted}, but this machine has {have}: set it to "auto" or "cpu".')
    return [Device(f"gpu{number}", found[number]) for number in numbers]


def _cuda_devices() -> list[str]:
    """What to put into CUDA_VISIBLE_DEVICES for each device in turn."""
    limited = os.environ.get(VARIABLE)
    if limited is None:
        return [str(number) for number in range(_count())]
    # CUDA itself ignores everything from the first invalid entry on; "-1" is the usual way to write "none".
    entries = [entry.strip() for entry in limited.split(",")]
    valid = [bool(entry) and not entry.startswith("-") for entry in entries]
    return entries[: valid.index(False)] if False in valid else entries


def _count() -> int:
    # Asking torch would load CUDA into the supervisor, and take seconds and memory.
    if not shutil.which("nvidia-smi"):
        return 0
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listing.splitlines())
