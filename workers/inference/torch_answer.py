"""What torch says of the devices of this machine, asked in a process of its own."""

import ctypes
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass

from settings.child_commands import child_environment

# NVIDIA's driver, and Intel's loader of its own (Level Zero).
DRIVERS = ("libcuda.so.1", "libze_loader.so.1")


def has_driver() -> bool:
    """True if this machine has what torch may compute with: a driver of NVIDIA, AMD or Intel, or Apple's processor."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return os.path.exists("/dev/kfd") or any(map(_loads, DRIVERS))


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class TorchAnswer:
    """How many devices torch can use, its version, why it can use none, what kind they are (a name of
    workers/inference/accelerators.py), and the free bytes of each, 0 where it does not tell.
    """

    devices: int
    version: str
    reason: str
    kind: str = "cpu"
    free: tuple[int, ...] = ()


TORCH_SECONDS = 120
_QUESTION = """
import json
from workers.inference.accelerators import CPU, CUDA, free_bytes, kind_here, why_unusable
import torch

kind = kind_here()
count = 0 if kind is CPU else torch.accelerator.device_count()
free = [free_bytes(kind.type, number) for number in range(count)]
print(json.dumps([count, torch.__version__, "" if count else why_unusable(CUDA), kind.name, free]))
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
    count, version, reason, kind, free = json.loads(done.stdout.splitlines()[-1])
    return TorchAnswer(count, version, reason, kind, tuple(free))
