"""The device of this process, and the precision and the batch sizes that suit it."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from settings import Settings

if TYPE_CHECKING:
    import torch

# On a CPU, for each forward pass: with more pictures the data leaves the caches (CLIP) or takes much memory (BLIP).
CPU_BATCH_CLIP, CPU_BATCH_BLIP = 16, 8
GPU_BATCH_CLIP, GPU_BATCH_BLIP = 128, 32
# Each part has its own activations, and more parts than these gain nothing.
MAX_PARTS = 4
# Far more than a BLIP base in float32 needs for one picture: several times 7 MB, the widest layer of its vision tower.
BLIP_PICTURE_BYTES = 100 << 20
# A lower precision rounds more, so it must be clearly faster.
MIN_SPEEDUP = 1.15
OUT_OF_MEMORY = ("DefaultCPUAllocator", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED", "std::bad_alloc")


def pick_device() -> "torch.device":
    """The first visible CUDA device, else the CPU.

    The supervisor sets CUDA_VISIBLE_DEVICES, so the first visible device is the only one.
    """
    import torch

    return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def parallel_batches(settings: Settings, device_type: str) -> tuple[int, int]:
    """The number of parts of a batch that are computed at the same time, and the number of threads of each.

    On a CPU with few cores each part has one core; on CUDA the device computes the whole batch at once.
    """
    threads = cores() if settings.gpu.torch_threads == "auto" else settings.gpu.torch_threads
    if device_type == "cuda":
        return 1, threads
    parts = min(threads, MAX_PARTS)
    return parts, threads // parts


def memory(device_type: str) -> int:
    """The bytes of memory of the device; for a CPU those of the machine."""
    if device_type == "cuda":
        import torch

        total: int = torch.cuda.mem_get_info()[1]
        return total
    if hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 8 << 30


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


def has_fast_bfloat16() -> bool:
    """True if the CPU multiplies bfloat16 in hardware; other CPUs emulate it, which is always slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags


def pick_dtype(setting: str, device: "torch.device", seconds: Callable[["torch.dtype"], float]) -> "torch.dtype":
    """The precision to run a model in.

    "auto" means the faster one by a short measurement: of float32 and float16 on CUDA, of float32 and bfloat16 on a CPU
    that has it in hardware. `seconds(dtype)` runs one batch and returns how long it took.
    """
    import torch

    if setting != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[setting]
    if device.type == "cuda":
        half = torch.float16
    elif has_fast_bfloat16():
        half = torch.bfloat16
    else:
        return torch.float32
    return half if seconds(half) * MIN_SPEEDUP < seconds(torch.float32) else torch.float32


def fastest_seconds(run: Callable[[], object], device: "torch.device", repeats: int = 2) -> float:
    """The seconds of the fastest of some runs, after one that warms up."""
    import torch

    def timed() -> float:
        start = time.perf_counter()
        run()
        if device.type == "cuda":  # a CUDA call returns before the work is done
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    timed()
    return min(timed() for _ in range(repeats))


def is_out_of_memory(error: BaseException) -> bool:
    """True when a batch was too large for the device."""
    torch = sys.modules.get("torch")
    if torch is None:  # so no model is loaded
        return isinstance(error, MemoryError)
    # torch has no error class for a CPU that is out of memory, nor for the libraries below it on a GPU.
    by_text = isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)
    return by_text or isinstance(error, torch.cuda.OutOfMemoryError | MemoryError)
