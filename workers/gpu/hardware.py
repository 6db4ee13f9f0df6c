"""What this process computes on: its one device, its precision, its sizes."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from settings import Settings

if TYPE_CHECKING:
    import torch

CPU_BATCH_CLIP, CPU_BATCH_BLIP = 32, 8
GPU_BATCH_CLIP, GPU_BATCH_BLIP = 128, 32
# A lower precision must be clearly faster on a CPU before it is worth its rounding.
WORTH_IT = 1.15


def pick_device() -> "torch.device":
    """The first visible CUDA device, else the CPU.

    The parent has pinned this process by CUDA_VISIBLE_DEVICES, so the first visible device is the only one.
    """
    import torch

    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batch_sizes(settings: Settings, device_type: str) -> tuple[int, int]:
    """Pictures a CLIP batch and a BLIP batch at most; "auto" goes by the kind of device."""
    clip, blip = (GPU_BATCH_CLIP, GPU_BATCH_BLIP) if device_type == "cuda" else (CPU_BATCH_CLIP, CPU_BATCH_BLIP)
    return (
        clip if settings.gpu.batch_clip == "auto" else settings.gpu.batch_clip,
        blip if settings.gpu.batch_blip == "auto" else settings.gpu.batch_blip,
    )


def loaders(settings: Settings) -> int:
    """How many files are read and decoded at the same time."""
    return max(2, cores()) if settings.gpu.loaders == "auto" else settings.gpu.loaders


def in_flight(settings: Settings, batch_clip: int) -> int:
    """How many files a worker holds at once: one batch in the model, one ready, one being loaded."""
    return 3 * batch_clip if settings.gpu.in_flight == "auto" else settings.gpu.in_flight


def has_fast_bfloat16() -> bool:
    """True where the CPU multiplies bfloat16 in hardware; elsewhere it is emulated and always slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def pick_dtype(wanted: str, device: "torch.device", seconds: Callable[["torch.dtype"], float]) -> "torch.dtype":
    """The precision to run a model in.

    "auto" means float16 on CUDA, and on a CPU with bfloat16 in hardware whichever of float32 and bfloat16 a short probe
    finds faster: `seconds(dtype)` runs one batch and says how long it took.
    """
    import torch

    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
    if device.type == "cuda":
        return torch.float16
    if not has_fast_bfloat16():
        return torch.float32
    return torch.bfloat16 if seconds(torch.bfloat16) * WORTH_IT < seconds(torch.float32) else torch.float32


def best_of(work: Callable[[], object], repeats: int = 2) -> float:
    """Seconds of the fastest of some runs, after one that warms up."""
    work()
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def is_out_of_memory(error: BaseException) -> bool:
    """True when a batch was too large for the device."""
    import torch

    # On a CPU torch has no class of its own for it.
    on_cpu = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return on_cpu or isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
