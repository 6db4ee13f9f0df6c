"""The precision that a model runs in: a lower one if it is faster and computes nearly the same."""

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from settings.errors import WrongUse
from workers.inference.accelerators import half_precision_of, synchronize
from workers.inference.self_check import NOT_FINITE

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
# The least cosine between the results of a lower precision and of float32.
SAME_IN_HALF = 0.99
# On a CPU a lower precision must be so much faster, because it rounds more.
MIN_SPEEDUP = 1.15
# A run that takes longer is not measured again: what a first run does besides is little against it.
LONG_SECONDS = 1.0
# Tokens, width and inner width of a ViT-B for ten pictures of 49 patches.
PRODUCT = (500, 768, 3072)


@dataclass(frozen=True)
class Precise:
    """A model in the precision that was chosen, and a sentence about it if it is not the usual one."""

    model: Any
    dtype: torch.dtype
    note: str = ""


def in_precision(
    setting: str,
    device: torch.device,
    model: nn.Module,
    compare: Callable[[nn.Module], str],
    seconds: Callable[[nn.Module], float],
) -> Precise:
    """A float32 model in the precision of the setting.

    "auto" is on an accelerator the half precision of the device, and on a CPU that multiplies bfloat16 in hardware that
    or float32, as `seconds` of one batch tell; but float32 where `compare` finds a difference between its results and
    those of float32. A precision that is named is taken, unless its numbers are not finite: then WrongUse is raised.
    """
    dtype = half_precision(device) if setting == "auto" else DTYPES[setting]
    if dtype == torch.float32:
        return _in_float32(device, model)
    candidate, name = converted(model, dtype), str(dtype).removeprefix("torch.")
    difference = compare(candidate)
    if setting != "auto":
        if difference == NOT_FINITE:
            raise WrongUse(f'gpu.dtype = "{setting}": here it gives {difference}; set it to "auto".')
        return Precise(candidate, dtype, f"{name} gives {difference}" if difference else "")
    if difference:
        return _in_float32(device, model, f"it runs in float32, because {name} gives {difference}")
    if device.type != "cpu" or seconds(candidate) * MIN_SPEEDUP < seconds(model):
        return Precise(candidate, dtype)
    return _in_float32(device, model)


def _in_float32(device: torch.device, model: nn.Module, note: str = "") -> Precise:
    if device.type == "cuda":
        # TF32 rounds the factors of a product like float16, keeps the range of float32, and is several times as fast.
        torch.set_float32_matmul_precision("high")
    return Precise(model, torch.float32, note)


@contextmanager
def exact_float32() -> Iterator[None]:
    """Without TF32, for results that others are compared with."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def half_precision(device: torch.device) -> torch.dtype:
    """The half precision that a device multiplies in hardware; float32 if it has none."""
    if device.type != "cpu":
        return half_precision_of(device)  # half the bits are several times as fast
    return torch.bfloat16 if has_fast_bfloat16() else torch.float32


def has_fast_bfloat16() -> bool:
    """True if the CPU multiplies bfloat16 in hardware, and faster than float32; others emulate it, which is slower."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    # A torch that is held down to AVX2 emulates it as well.
    has_flag = not {"amx_bf16", "avx512_bf16", "bf16"}.isdisjoint(flags.split())  # the last one is of ARM
    return has_flag and torch.backends.cpu.get_cpu_capability() != "AVX2" and _is_product_faster()


@cache
def _is_product_faster() -> bool:
    """Whether a product of the size that a transformer has is faster in bfloat16: a flag does not say so.

    A Xeon was met that has AVX512_BF16 and takes twice as long for it. This costs milliseconds, and saves the
    comparison of whole models.
    """
    left, right = torch.ones(PRODUCT[0], PRODUCT[1]), torch.ones(PRODUCT[1], PRODUCT[2])

    def seconds(dtype: torch.dtype) -> float:
        first, second = left.to(dtype), right.to(dtype)
        return fastest_seconds(lambda: first @ second, left.device, repeats=5)

    return seconds(torch.bfloat16) * MIN_SPEEDUP < seconds(torch.float32)


def sharing_copy(model: nn.Module) -> Any:
    """A copy with modules of its own and the same weights, so that it takes no memory."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in _tensors(model)})


def converted(model: nn.Module, dtype: torch.dtype) -> Any:
    """A copy in another precision; the model itself keeps its weights, which would stay rounded."""

    def convert(tensor: torch.Tensor) -> torch.Tensor:
        other = tensor.detach().to(dtype) if tensor.is_floating_point() else tensor
        return nn.Parameter(other, requires_grad=False) if isinstance(tensor, nn.Parameter) else other

    # `deepcopy` takes what it finds here for a copy it has already made: the weights are never there twice in float32.
    return copy.deepcopy(model, {id(tensor): convert(tensor) for tensor in _tensors(model)})


def _tensors(model: nn.Module) -> Iterator[torch.Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def fastest_seconds(run: Callable[[], object], device: torch.device, repeats: int = 2) -> float:
    """The seconds of the fastest of some runs; the first one warms up and counts only if it takes long.

    On a CPU those of this thread: what other processes compute meanwhile says nothing about the model.
    """
    clock = time.thread_time if device.type == "cpu" else time.perf_counter

    def timed() -> float:
        start = clock()
        run()
        synchronize(device)
        return clock() - start

    first = timed()
    return first if first > LONG_SECONDS else min(timed() for _ in range(repeats))
