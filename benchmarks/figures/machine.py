"""What figures were taken on: the CPU and what it multiplies in hardware, the versions, and a CPU that is held down."""

import os
import platform
from importlib import metadata
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# What decides how fast a model runs: widths, 16-bit and 8-bit products; the last three are of ARM.
FLAGS = (
    "avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimddp", "bf16", "i8mm",
)  # fmt: skip
_SHORT_PRODUCTS = {"avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "bf16", "i8mm"}
# Each library looks for its own: PyTorch's kernels, oneDNN, MKL and FBGEMM.
_AVX2 = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    "FBGEMM_ENABLE_INSTRUCTIONS": "AVX2",
}
# What the name of a figure ends in that was taken with `hold_down_to_avx2`.
AVX2_SUFFIX = "_avx2"


def hold_down_to_avx2() -> None:
    """Let torch take no wider or shorter products than AVX2's, here and in every process that this one starts.

    It must come before torch is imported. ONNX Runtime knows no such limit.
    """
    os.environ.update(_AVX2)


def is_held_down() -> bool:
    """Whether `hold_down_to_avx2` was called, here or in the process that started this one."""
    return os.environ.get("ONEDNN_MAX_CPU_ISA") == "AVX2"


def has_short_products() -> bool:
    """Whether 16-bit or 8-bit numbers are multiplied in hardware, and that is not held down."""
    return not is_held_down() and not _SHORT_PRODUCTS.isdisjoint(flags())


def flags() -> list[str]:
    """Those of FLAGS that this CPU has; none where the system does not tell."""
    found = set(_line_of("flags", "Features").split())
    return [flag for flag in FLAGS if flag in found]


def machine() -> str:
    """The CPU with its flags, its cores, the system, and the versions of Python and torch."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    name = _line_of("model name").replace("(R)", "") or platform.processor() or platform.machine()
    held = ", held down to AVX2 (torch alone)" if is_held_down() else ""
    return (
        f"{' '.join(name.split())} ({' '.join(flags())}){held}, {cores} cores, {platform.machine()}, "
        f"{platform.system()}, Python {platform.python_version()}, torch {_version('torch')}"
    )


def _line_of(*names: str) -> str:
    """The value of the first line of /proc/cpuinfo with one of these names; "" where there is none."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.split("\t")[0].strip() in names), "")


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
