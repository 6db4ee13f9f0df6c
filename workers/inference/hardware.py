"""What this process computes on: its one device, its precision, its sizes."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from settings import Settings

if TYPE_CHECKING:
    import torch

# On a CPU for each forward pass of one batch: more pictures at once leave the caches (CLIP) and take memory (BLIP).
CPU_BATCH_CLIP, CPU_BATCH_BLIP = 16, 8
GPU_BATCH_CLIP, GPU_BATCH_BLIP = 128, 32
# Each has activations of its own, and beyond a few the gain is gone.
MAX_STREAMS = 4
# Far more than a BLIP base in float32 holds for one picture: the widest layer of its vision tower, several times 7 MB.
BLIP_PICTURE_BYTES = 100 << 20
# A lower precision must be clearly faster before it is worth its rounding.
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


def parallel_batches(settings: Settings, device_type: str) -> tuple[int, int]:
    """How many parts of a batch are computed at the same time, and by how many threads each.

    On a CPU a core each while there are few; on CUDA the device itself works on all pictures at once.
    """
    threads = cores() if settings.gpu.torch_threads == "auto" else settings.gpu.torch_threads
    if device_type == "cuda":
        return 1, threads
    count = min(threads, MAX_STREAMS)
    return count, threads // count


def memory(device_type: str) -> int:
    """Bytes of memory that the device has; on a CPU those of the machine."""
    if device_type == "cuda":
        import torch

        total: int = torch.cuda.mem_get_info()[1]
        return total
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 8 << 30


def batch_sizes(settings: Settings, device_type: str) -> tuple[int, int]:
    """Pictures a CLIP batch and a BLIP batch at most.

    "auto" goes by the kind of device, on a CPU by its cores, and takes a quarter of the memory at most. A batch that is
    too large all the same is halved when it meets the end of the memory.
    """
    if device_type == "cuda":
        clip, blip = GPU_BATCH_CLIP, GPU_BATCH_BLIP
    else:
        count, _ = parallel_batches(settings, device_type)
        clip, blip = CPU_BATCH_CLIP * count, CPU_BATCH_BLIP * count
    if settings.gpu.batch_blip == "auto":
        blip = max(1, min(blip, memory(device_type) // 4 // BLIP_PICTURE_BYTES))
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

    "auto" means whichever a short probe finds faster, of float32 and float16 on CUDA, of float32 and bfloat16 on a CPU
    that has it in hardware: `seconds(dtype)` runs one batch and says how long it took.
    """
    import torch

    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
    if device.type == "cuda":
        half = torch.float16
    elif has_fast_bfloat16():
        half = torch.bfloat16
    else:
        return torch.float32
    return half if seconds(half) * WORTH_IT < seconds(torch.float32) else torch.float32


def best_of(work: Callable[[], object], device: "torch.device", repeats: int = 2) -> float:
    """Seconds of the fastest of some runs, after one that warms up."""
    import torch

    def run() -> float:
        begin = time.perf_counter()
        work()
        if device.type == "cuda":  # where a call returns before the work is done
            torch.cuda.synchronize(device)
        return time.perf_counter() - begin

    run()
    return min(run() for _ in range(repeats))


def is_out_of_memory(error: BaseException) -> bool:
    """True when a batch was too large for the device."""
    torch = sys.modules.get("torch")
    if torch is None:  # and then nothing runs on a device
        return isinstance(error, MemoryError)
    # On a CPU torch has no class of its own for it.
    on_cpu = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)
    return on_cpu or isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
