"""The half of an embedder that embeds pictures."""

import time
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pictures.picture import Pixels
from pictures.preprocessing import ModelInput, blank, fit
from tasks.checkpoint import checkpoint_name
from workers.checkpoints.lazy import Report, silent
from workers.checkpoints.loading import load_part
from workers.inference.choice import Asked, choose
from workers.inference.embedders.families import read_picture_half
from workers.inference.embedders.rows import unit_rows
from workers.inference.hardware import CPU_BATCH_CLIP, MAX_PARTS
from workers.inference.layers.onednn import linear_layers
from workers.inference.parallel import ParallelBatches
from workers.inference.pixels import PixelFeed, ProcessorFeed
from workers.inference.precision import SAME_IN_HALF, exact_float32, fastest_seconds
from workers.inference.probe import parts as measured_parts
from workers.inference.probe.fidelity import of_embeddings
from workers.inference.probe.pictures import drawn
from workers.inference.probe.probe import INT8, PICTURES, Subject, is_worth_it, probe
from workers.inference.probe.rows import Row
from workers.inference.self_check import SAME, difference, picture, processed_picture

# The pictures of a probe at most: with more of them the memory may be too small, and the comparison is the same.
MAX_PROBE = 32


class VisionTower:
    """The half that embeds pictures; it computes `parts` parts of a batch at the same time."""

    def __init__(
        self, model: str, device: torch.device, dtype: str, batch: int, parts: int, report: Report = silent
    ) -> None:
        half = load_part("clip", model, read_picture_half, report)
        untouched, self.model_input = half.model.to(device).eval(), half.model_input
        self._device = device
        self._parallel = ParallelBatches(parts)
        self._batch = -(-batch // parts)
        self._processor = ProcessorFeed(device, half.processor)
        if isinstance(half.model_input, ModelInput):
            self._pixels: PixelFeed | None = PixelFeed(device, half.model_input)
            pixels = processed_picture("models.clip", model, half.processor, half.model_input).to(device)
            right: Mapping[str, torch.Tensor] = {"pixel_values": pixels}
        else:
            self._pixels = None
            right = self._processor([fit(picture(), half.model_input)], torch.float32)
        with torch.inference_mode(), exact_float32():
            expected = untouched(**right)
        self.dim = int(expected.shape[-1])
        choice = choose(
            checkpoint_name(model),
            untouched,
            half.fast,
            lambda tried: self._compare(tried, expected, SAME),
            lambda tried: self._compare(tried, expected, SAME_IN_HALF),
            lambda tried: self._seconds(tried, self._batch),
            Asked(dtype, "clip", parts, report),
            device,
            self._subject,
        )
        self._model, self.dtype, self.notes = choice.model, choice.dtype, choice.notes
        self.precision, self.fidelity = choice.precision, choice.fidelity
        threads = parts * torch.get_num_threads()
        if (
            device.type == "cpu"
            and threads > MAX_PARTS
            and is_worth_it(untouched)
            and measured_parts.read(threads) is None
        ):
            report("finding in how many parts a batch is fastest on this machine, once", "")
            measured_parts.write(threads, measured_parts.fastest(threads, MAX_PARTS, self._rate))

    def embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Embed uint8 RGB pictures as `model_input` has them; returns float32 (n, dim), each row of length one."""
        return np.stack(self._parallel(self._embed, pictures, self._batch))

    @torch.inference_mode()
    def _embed(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        # Calls return before the work is done: the second half is copied while the first half is computed.
        size = -(-len(pictures) // 2) if self._device.type != "cpu" else len(pictures)
        features = [
            self._model(**self._inputs(pictures[start : start + size], self.dtype))
            for start in range(0, len(pictures), size)
        ]
        return unit_rows(torch.cat(features))

    def _inputs(self, pictures: Sequence[Pixels], dtype: torch.dtype) -> Mapping[str, torch.Tensor]:
        if self._pixels is None:
            return self._processor(pictures, dtype)
        return {"pixel_values": self._pixels(pictures, dtype)}

    def _subject(self, model: nn.Module) -> Subject[NDArray[np.float32]]:
        """What the probe is asked about a form of the model in float32."""
        count = min(self._batch, MAX_PROBE)

        @cache
        def shown() -> list[Pixels]:
            return [fit(each, self.model_input) for each in drawn(PICTURES)]

        def results(tried: nn.Module, pictures: int) -> NDArray[np.float32]:
            def embed(some: Sequence[Pixels]) -> NDArray[np.float32]:
                # In batches as small as those that are measured: the memory that they take is known to be there.
                parts = [some[start : start + count] for start in range(0, len(some), count)]
                with torch.inference_mode():
                    return np.concatenate([unit_rows(tried(**self._inputs(part, _dtype(tried)))) for part in parts])

            return np.stack(self._parallel(embed, shown()[:pictures]))

        return Subject(
            lambda tried: self._seconds(tried, count) / count, results, of_embeddings, {INT8: linear_layers(model)}
        )

    def candidates(self) -> list[Row]:
        """The precisions of a tower that was loaded in float32 on a CPU, measured and compared; float32 first."""
        return probe(self._model, self._subject(self._model), thorough=True)[1]

    def _rate(self, parts: int, threads: int) -> float:
        """Pictures a second, by the clock, for so many parts of a batch with so many threads each."""
        before = torch.get_num_threads()
        side_by_side = ParallelBatches(parts, lambda: torch.set_num_threads(threads))
        shown = [blank(self.model_input, 0)] * (CPU_BATCH_CLIP * parts)
        try:
            side_by_side(self._embed, shown)  # the first one pays for the start of the threads
            begin = time.perf_counter()
            side_by_side(self._embed, shown)
            return len(shown) / (time.perf_counter() - begin)
        finally:
            side_by_side.close()
            torch.set_num_threads(before)

    def _compare(self, model: nn.Module, expected: torch.Tensor, least_cosine: float) -> str:
        inputs = self._inputs([fit(picture(), self.model_input)], _dtype(model))
        return difference(model(**inputs), expected, least_cosine)

    def _seconds(self, model: nn.Module, batch: int) -> float:
        inputs = self._inputs([blank(self.model_input, 0)] * min(batch, MAX_PROBE), _dtype(model))
        return fastest_seconds(lambda: model(**inputs), self._device)


def _dtype(model: Any) -> torch.dtype:
    dtype: torch.dtype = next(model.parameters()).dtype
    return dtype
