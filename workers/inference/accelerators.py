"""The kinds of devices that torch computes on: how each is pinned, its half precision, its memory and its errors.

Only what asks a device itself imports torch, so that a supervisor knows the kinds without it.
"""

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from settings.child_commands import DEVICE_KIND, DEVICE_WORKERS

if TYPE_CHECKING:
    import torch

VISIBLE_DEVICES = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True)
class DeviceKind:
    """A kind of device: `type` is what torch calls it, `title` what people do, `pinned_by` the variable that says
    which devices a process sees, empty for none; `limits` are all variables that a person may have set for that, the
    one that wins first.
    """

    name: str
    type: str
    title: str
    pinned_by: str = ""
    limits: tuple[str, ...] = ()


CUDA = DeviceKind("cuda", "cuda", "CUDA", VISIBLE_DEVICES, (VISIBLE_DEVICES,))
# torch calls AMD's devices cuda as well. ROCR_VISIBLE_DEVICES lies below these: what it hides has no number in them.
# https://rocm.docs.amd.com/en/latest/conceptual/gpu-isolation.html
ROCM = DeviceKind("rocm", "cuda", "ROCm", "HIP_VISIBLE_DEVICES", ("HIP_VISIBLE_DEVICES", VISIBLE_DEVICES))
# https://oneapi-src.github.io/level-zero-spec/level-zero/latest/core/PROG.html#affinity-mask
XPU = DeviceKind("xpu", "xpu", "Intel XPU", "ZE_AFFINITY_MASK", ("ZE_AFFINITY_MASK",))
# A Mac has one, so there is nothing to pin.
MPS = DeviceKind("mps", "mps", "Apple MPS")
CPU = DeviceKind("cpu", "cpu", "CPU")
KINDS = {kind.name: kind for kind in (CUDA, ROCM, XPU, MPS, CPU)}
# The types of devices that copy to and from pinned memory beside their computing. An Apple GPU shares the memory.
STREAMING = ("cuda", "xpu")
# AMD's architectures that multiply bfloat16 in hardware: CDNA and RDNA 3 and later.
# https://rocm.docs.amd.com/en/latest/reference/precision-support.html
_ROCM_BFLOAT16 = ("gfx908", "gfx90a", "gfx94", "gfx95", "gfx11", "gfx12")
# torch has no error class for a CPU or an Apple GPU that is out of memory, nor for the libraries below it on others.
OUT_OF_MEMORY = (
    "DefaultCPUAllocator",
    "std::bad_alloc",
    "CUDA error: out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
    "HIP error: out of memory",
    "HIPBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
    "UR_RESULT_ERROR_OUT_OF_DEVICE_MEMORY",
    "UR_RESULT_ERROR_OUT_OF_HOST_MEMORY",
)


def is_accelerator(device: "torch.device") -> bool:
    """True for a device beside the CPU: its calls return before their work is done."""
    return device.type != CPU.type


def kind_told() -> DeviceKind | None:
    """The kind of device that this process must compute on, as its supervisor or CUDA_VISIBLE_DEVICES says.

    None where neither says anything. A process that every CUDA device is hidden from is to compute on the CPU.
    """
    if told := os.environ.get(DEVICE_KIND):
        return KINDS[told]
    visible = os.environ.get(VISIBLE_DEVICES)
    if visible is None:
        return None
    return CPU if not visible or visible.startswith("-") else CUDA


def kind_here() -> DeviceKind:
    """The kind of accelerator that torch can use in this process, CPU where there is none."""
    import torch

    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        return CPU
    if found.type == CUDA.type and torch.version.hip:
        return ROCM
    return KINDS.get(found.type, CPU)


def why_unusable(kind: DeviceKind) -> str:
    """Why torch cannot use a kind of device here, in the words of torch where it has some."""
    import torch

    if kind is MPS:
        return "it needs a Mac with Apple's own processor, macOS 14 or later, and torch's build for it"
    try:
        torch.get_device_module(kind.type).init()
    except (AssertionError, RuntimeError) as error:
        return str(error).partition("\n")[0]
    return "it sees none"


def half_precision_of(device: "torch.device") -> "torch.dtype":
    """The half precision that an accelerator multiplies in hardware: bfloat16 has the range of float32, so it first."""
    import torch

    if device.type == "cuda":
        if torch.version.hip:
            architecture = torch.cuda.get_device_properties(device).gcnArchName
            return torch.bfloat16 if architecture.startswith(_ROCM_BFLOAT16) else torch.float16
        return torch.bfloat16 if torch.cuda.get_device_capability(device) >= (8, 0) else torch.float16  # Ampere
    if device.type == "xpu":
        return torch.bfloat16 if torch.xpu.is_bf16_supported(including_emulation=False) else torch.float16
    # Not all of Apple's processors have bfloat16, and all have float16.
    return torch.float16


def device_bytes(device_type: str) -> int:
    """The bytes of memory that this process may take of the first visible device of an accelerator.

    Where several processes compute on it, each has its share.
    """
    import torch

    if device_type == "mps":
        # It shares the memory of the machine; Metal recommends to take no more than this.
        whole = torch.mps.recommended_max_memory()
    else:
        whole = torch.get_device_module(device_type).mem_get_info()[1]
    return int(whole) // workers_of_device()


def free_bytes(device_type: str, number: int) -> int:
    """The free bytes of a device, 0 where it does not tell."""
    import torch

    ask = getattr(torch.get_device_module(device_type), "mem_get_info", None)
    return int(ask(number)[0]) if ask is not None else 0


def workers_of_device() -> int:
    """How many processes compute on the device of this one, which the supervisor tells them."""
    told = os.environ.get(DEVICE_WORKERS, "")
    return max(1, int(told)) if told.isdecimal() else 1


def keep_to_share(device: "torch.device") -> None:
    """Let this process take its share of the memory of a device alone, where several processes compute on it."""
    import torch

    if (processes := workers_of_device()) > 1 and device.type != "cpu":
        torch.get_device_module(device.type).set_per_process_memory_fraction(1 / processes)


def is_out_of_memory(error: BaseException) -> bool:
    """True when a batch was too large for the device."""
    torch = sys.modules.get("torch")
    if torch is None:  # so no model is loaded
        return isinstance(error, MemoryError)
    by_text = isinstance(error, RuntimeError) and any(text in str(error) for text in OUT_OF_MEMORY)
    return by_text or isinstance(error, torch.OutOfMemoryError | MemoryError)


def empty_cache() -> None:
    """Give back the memory of the device that torch keeps for later batches."""
    torch = sys.modules.get("torch")
    if torch is not None and (found := torch.accelerator.current_accelerator(check_available=True)) is not None:
        torch.get_device_module(found.type).empty_cache()


def synchronize(device: "torch.device") -> None:
    """Wait until a device has done what it was asked; its calls return before that. A CPU has done it."""
    import torch

    if device.type != "cpu":
        torch.get_device_module(device.type).synchronize()


def device_name(device: "torch.device") -> str:
    """What its maker calls a device; "cpu" for a CPU."""
    import torch

    if device.type in ("cpu", "mps"):
        return "cpu" if device.type == "cpu" else "Apple GPU"
    name: str = torch.get_device_module(device.type).get_device_name(device)
    return name
