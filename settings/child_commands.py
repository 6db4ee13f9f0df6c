"""How the commands of this project start one another: as processes of their own, safe in any working directory."""

import os
import sys

from settings.loading import ROOT, is_checkout

# Set by a supervisor: among how many GPU workers the cores and the memory of this machine are shared.
GPU_WORKERS = "DARKROOM_GPU_WORKERS"
# And how many of them compute on the device of this one.
DEVICE_WORKERS = "DARKROOM_DEVICE_WORKERS"
# And on which kind of device this one computes: a name of workers/inference/accelerators.py.
DEVICE_KIND = "DARKROOM_DEVICE"


def child_command(module: str, *arguments: str) -> tuple[str, ...]:
    """`python -m MODULE ARGUMENTS`, and with -P: Python then takes no module from the working directory."""
    return (sys.executable, "-P", "-m", module, *arguments)


def child_environment() -> dict[str, str]:
    """The environment of this process, in which a child finds the same packages as this one.

    With -P it would not find those of a checkout that is not installed, and those of another one where that is. An
    empty part of PYTHONPATH is the working directory once more, and is left out.
    """
    folders = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder not in ("", str(ROOT))]
    if is_checkout():
        folders.insert(0, str(ROOT))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
