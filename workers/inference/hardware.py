"""The device of this process, the batch sizes that suit it, and what to do about its memory."""

import gc
import os
from typing import TYPE_CHECKING

from settings import Settings
from settings.errors import ServiceMissing
from tasks.messages import GPU_FILES_PER_TASK
from workers.inference import accelerators
from workers.inference.accelerators import CPU, CUDA, DeviceKind, kind_here, kind_told, why_unusable
from workers.inference.accelerators import is_out_of_memory as is_out_of_memory
from workers.inference.machine import cores as cores
from workers.inference.machine import memory as memory
from workers.inference.probe.parts import read as measured_parts

if TYPE_CHECKING:
    import torch

# On a CPU, for each forward pass: with more pictures the data leaves the caches (CLIP), or little more is gained (BLIP,
# whose words cost the reading of all weights, once for a batch) and a person who stops waits longer.
CPU_BATCH_CLIP, CPU_BATCH_BLIP = 16, 12
# On an accelerator, by the type of its device. CUDA's and AMD's compute a word of many captions in the time of one.
GPU_BATCH_CLIP = 128
GPU_BATCH_BLIP = {"cuda": 256, "xpu": 32, "mps": 32}
# Two batches of a decoder on the device: one that is decoded, and one that is read meanwhile.
DEVICE_LOADERS = 64
# Each part has its own activations, and on a few cores more parts than these gain nothing.
MAX_PARTS = 4
# Far more than a BLIP base in float32 needs for one picture: several times 7 MB, the widest layer of its vision tower.
BLIP_PICTURE_BYTES = 100 << 20
# In half precision, with attention in one kernel: three layers of 577 x 3,072 numbers at once, thrice over.
GPU_BLIP_PICTURE_BYTES = 32 << 20
# Of the memory of this machine, for files that are read and wait; models, batches and everything else need the rest.
READ_SHARE = 4
# From so many cores on files are loaded by processes of their own.
FEW_CORES = 4


def pick_device(told: DeviceKind | None = None, visible: str = "") -> "torch.device":
    """The first visible device of the accelerator that torch computes with, else the CPU.

    The supervisor pins a worker to one device, so the first visible one is the only one. A worker that is pinned, by
    its supervisor, by CUDA_VISIBLE_DEVICES or by `told` (the device `visible`), computes there or not at all: raises
    ServiceMissing if torch cannot use the device.
    """
    import torch

    told = told or kind_told()
    if told is CPU:
        return torch.device("cpu")
    here = kind_here()
    # A person's CUDA_VISIBLE_DEVICES is for AMD's devices as well.
    if told is not None and told.type != here.type:
        visible = visible or next((os.environ[name] for name in told.limits if os.environ.get(name)), "")
        name = f"the device {visible}" if told is CUDA and visible else f"a device of {told.title}"
        raise unusable(name, torch.__version__, why_unusable(told))
    return torch.device("cpu") if here is CPU else torch.device(here.type, 0)


def device_type() -> str:
    """The type of the device: "cpu", "cuda" (ROCm too), "xpu" or "mps"; raises ServiceMissing as `pick_device` does.

    A process that has been told to compute on the CPU knows it without torch, which takes seconds to import.
    """
    return "cpu" if kind_told() is CPU else pick_device().type


def unusable(devices: str, version: str, reason: str) -> ServiceMissing:
    """The error for devices that are there and that torch cannot use."""
    torch = f"torch {version}".strip()
    return ServiceMissing(
        f"{torch} cannot use {devices} ({reason.removesuffix('.')}): install a torch for this machine's driver, "
        'or set gpu.devices to "cpu".'
    )


def parallel_batches(settings: Settings, device_type: str) -> tuple[int, int]:
    """The number of parts of a batch that are computed at the same time, and the number of threads of each.

    On a CPU with few cores each part has one core; with more of them it is as an embedder has measured it when it was
    loaded here before, four parts until then. An accelerator computes the whole batch at once.
    """
    threads = cores() if settings.gpu.torch_threads == "auto" else settings.gpu.torch_threads
    if device_type != "cpu":
        return 1, threads
    parts = min(threads, MAX_PARTS)
    if threads > MAX_PARTS:
        parts = measured_parts(threads) or parts
    return parts, threads // parts


def batch_sizes(settings: Settings, device_type: str) -> tuple[int, int]:
    """The largest CLIP batch and the largest BLIP batch, in pictures.

    "auto" depends on the kind of device, on a CPU also on its cores, and uses at most a quarter of the memory. A batch
    that does not fit into memory nevertheless is halved later.
    """
    if device_type != "cpu":
        clip, blip, picture = GPU_BATCH_CLIP, GPU_BATCH_BLIP[device_type], GPU_BLIP_PICTURE_BYTES
    else:
        parts, _ = parallel_batches(settings, device_type)
        clip, blip, picture = CPU_BATCH_CLIP * parts, CPU_BATCH_BLIP * parts, BLIP_PICTURE_BYTES
    if settings.models.caption_url:  # as many as are asked for at the same time
        return clip if settings.gpu.batch_clip == "auto" else settings.gpu.batch_clip, settings.models.caption_requests
    if settings.gpu.batch_blip == "auto":
        blip = max(1, min(blip, memory(device_type) // 4 // picture))
    return (
        clip if settings.gpu.batch_clip == "auto" else settings.gpu.batch_clip,
        blip if settings.gpu.batch_blip == "auto" else settings.gpu.batch_blip,
    )


def batch_ocr() -> int:
    """The pictures in whose text is read at the same time and waits for that; the CPU does it on every machine."""
    from workers.inference.text_reader import PICTURES_OF_AN_ENGINE, engines

    return PICTURES_OF_AN_ENGINE * engines()


def loaders(settings: Settings, on_device: bool = False) -> int:
    """The number of threads that read and decode files; more where they wait for a decoder `on_device`, for each of its
    batches.
    """
    least = DEVICE_LOADERS if on_device else 2
    return max(least, cores()) if settings.gpu.loaders == "auto" else settings.gpu.loaders


def loader_processes(settings: Settings, device_type: str) -> int:
    """The number of processes that read and decode files, 0 where threads of the worker do it.

    On few cores a process costs more than it gives: the interpreter's lock keeps two threads apart for a small part of
    the time, and messages between processes are work as well (docs/performance.md).
    """
    if settings.gpu.loader_processes != "auto":
        return settings.gpu.loader_processes
    return loaders(settings) if device_type != "cpu" or cores() >= FEW_CORES else 0


def in_flight(settings: Settings, batch: int) -> int:
    """The number of files that a worker holds, whose largest batch has so many: one batch in the model, one that is
    ready, one that is being loaded.
    """
    return 3 * batch if settings.gpu.in_flight == "auto" else settings.gpu.in_flight


def task_threads(settings: Settings, on_gpu: bool, batch: int) -> int:
    """The tasks that a worker holds at a time: its files in flight, as many files a task as producers put into one."""
    per_task = settings.ingest.files_per_task
    if per_task == "auto":
        per_task = GPU_FILES_PER_TASK if on_gpu else 1
    return max(2, in_flight(settings, batch) // per_task)


def free_cached() -> None:
    """Give back what torch keeps for later batches, so that a smaller one finds it in one piece."""
    # An error may refer to its own frames; only a search finds what is held by such a circle.
    gc.collect()
    accelerators.empty_cache()


def read_bytes(settings: Settings) -> int:
    """How many bytes of files a worker may hold that are read and not decoded yet."""
    return memory("cpu") // READ_SHARE if settings.gpu.read_bytes == "auto" else settings.gpu.read_bytes
