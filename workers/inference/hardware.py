"""The device of this process, and the batch sizes that suit it."""

import os
import sys
from typing import TYPE_CHECKING

from settings import Settings
from settings.errors import ServiceMissing
from workers.inference.machine import cores as cores
from workers.inference.machine import memory as memory

if TYPE_CHECKING:
    import torch

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"
# On a CPU, for each forward pass: with more pictures the data leaves the caches (CLIP) or takes much memory (BLIP).
CPU_BATCH_CLIP, CPU_BATCH_BLIP = 16, 8
GPU_BATCH_CLIP, GPU_BATCH_BLIP = 128, 32
# Each part has its own activations, and more parts than these gain nothing.
MAX_PARTS = 4
# Far more than a BLIP base in float32 needs for one picture: several times 7 MB, the widest layer of its vision tower.
BLIP_PICTURE_BYTES = 100 << 20
OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "std::bad_alloc")


def pick_device(pinned: str | None = None) -> "torch.device":
    """The first visible CUDA device, else the CPU.

    The supervisor sets CUDA_VISIBLE_DEVICES, so the first visible device is the only one. A worker that is pinned to a
    device by that variable, or by `pinned`, computes there or not at all: raises ServiceMissing if torch cannot use it.
    """
    import torch

    visible = os.environ.get(VISIBLE_DEVICES, "") if pinned is None else pinned
    if torch.cuda.is_available():
        return torch.device("cuda", 0)
    if not visible or visible.startswith("-"):
        return torch.device("cpu")
    try:
        torch.cuda.init()
        reason = "it sees none"
    except (AssertionError, RuntimeError) as error:
        reason = str(error).partition("\n")[0]
    raise unusable(f"the device {visible}", torch.__version__, reason)


def unusable(devices: str, version: str, reason: str) -> ServiceMissing:
    """The error for devices that are there and that torch cannot use."""
    torch = f"torch {version}".strip()
    return ServiceMissing(
        f"{torch} cannot use {devices} ({reason.removesuffix('.')}): install a torch for this machine's driver, "
        'or set gpu.devices to "cpu".'
    )


def parallel_batches(settings: Settings, device_type: str) -> tuple[int, int]:
    """The number of parts of a batch that are computed at the same time, and the number of threads of each.

    On a CPU with few cores each part has one core; on CUDA the device computes the whole batch at once.
    """
    threads = cores() if settings.gpu.torch_threads == "auto" else settings.gpu.torch_threads
    if device_type == "cuda":
        return 1, threads
    parts = min(threads, MAX_PARTS)
    return parts, threads // parts


def batch_sizes(settings: Settings, device_type: str) -> tuple[int, int]:
    """The largest CLIP batch and the largest BLIP batch, in pictures.

    "auto" depends on the kind of device, on a CPU also on its cores, and uses at most a quarter of the memory. A batch
    that does not fit into memory nevertheless is halved later.
    """
    if device_type == "cuda":
        clip, blip = GPU_BATCH_CLIP, GPU_BATCH_BLIP
    else:
        parts, _ = parallel_batches(settings, device_type)
        clip, blip = CPU_BATCH_CLIP * parts, CPU_BATCH_BLIP * parts
    if settings.gpu.batch_blip == "auto":
        blip = max(1, min(blip, memory(device_type) // 4 // BLIP_PICTURE_BYTES))
    return (
        clip if settings.gpu.batch_clip == "auto" else settings.gpu.batch_clip,
        blip if settings.gpu.batch_blip == "auto" else settings.gpu.batch_blip,
    )


def loaders(settings: Settings) -> int:
    """The number of files that are read and decoded at the same time."""
    return max(2, cores()) if settings.gpu.loaders == "auto" else settings.gpu.loaders


def in_flight(settings: Settings, batch_clip: int) -> int:
    """The number of files that a worker holds: one batch in the model, one that is ready, one that is being loaded."""
    return 3 * batch_clip if settings.gpu.in_flight == "auto" else settings.gpu.in_flight


def is_out_of_memory(error: BaseException) -> bool:
    """True when a batch was too large for the device."""
    torch = sys.modules.get("torch")
    if torch is None:  # so no model is loaded
        return isinstance(error, MemoryError)
    # torch has no error class for a CPU that is out of memory, nor for the libraries below it on a GPU.
    by_text = isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)
    return by_text or isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
