"""Text in pictures, by RapidOCR: its wheel brings the models, and ONNX Runtime computes them on the CPU."""

import importlib.util
import threading
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pictures.picture import Pixels
from pictures.preprocessing import PictureInput, WholeInput
from settings.errors import ServiceMissing
from settings.extras import install_hint
from tasks.checkpoint import OCR_MODEL
from workers.checkpoints.lazy import Report, silent
from workers.inference.lazy_model import LazyModel
from workers.inference.machine import cores
from workers.inference.parallel import ParallelBatches
from workers.inference.probe.fidelity import Fidelity

# The longer edge that is read: letters of a printed page have some 18 pixels there, and the cost follows the pixels.
EDGE = 1280
# Each has an engine of its own, about 150 MB; the loaders need cores as well.
MOST_ENGINES = 4
PICTURES_OF_AN_ENGINE = 2
# A picture whose one edge is longer than so many of the other is padded.
MOST_TIMES_AS_LONG = 3
PACKAGES = ("rapidocr", "onnxruntime")
CHECKED_TEXT = "Darkroom 2468"


class TextReader(LazyModel["LoadedReader"]):
    """What reads text in pictures, loaded when a picture first needs it; raises ServiceMissing where it is missing."""

    def __init__(self, report: Report = silent) -> None:
        super().__init__(OCR_MODEL, LoadedReader, "loading the models for text in pictures", report)

    @property
    def model_input(self) -> PictureInput:
        """The pictures that it sees; nothing is loaded for that."""
        return WholeInput(EDGE)

    def read(self, pictures: Sequence[Pixels]) -> list[str]:
        """The text in each of these uint8 RGB pictures, a line of it a line; empty where there is none."""
        return self.loaded().read(pictures)


class LoadedReader:
    """Engines that read text, one for each thread of a pool of its own."""

    precision, fidelity = "float32", Fidelity()

    def __init__(self) -> None:
        if packages := missing():
            raise ServiceMissing(f"models.ocr = true needs {' and '.join(packages)}: run {install_hint('ocr')}.")
        self.model_input = WholeInput(EDGE)
        self._parallel = ParallelBatches(engines())
        self._own = threading.local()
        found = self.read([_drawn()])[0]
        self.notes = [] if found == CHECKED_TEXT else [f"{OCR_MODEL} reads {found!r} where {CHECKED_TEXT!r} is drawn"]

    def read(self, pictures: Sequence[Pixels]) -> list[str]:
        """The text in each of these uint8 RGB pictures, a line of it a line; empty where there is none."""
        return self._parallel(lambda part: [self._read(each) for each in part], pictures)

    def _read(self, picture: Pixels) -> str:
        # OpenCV, which it was made with, has blue first.
        found = self._engine()(np.ascontiguousarray(_padded(picture)[..., ::-1]))
        return "\n".join(line.strip() for line in found.txts or () if line.strip())

    def _engine(self) -> Any:
        """The engine of this thread: an engine keeps what it is doing in itself."""
        if not hasattr(self._own, "engine"):
            import cv2
            from rapidocr import RapidOCR

            # As the models' own threads are, one for each engine.
            cv2.setNumThreads(1)
            runtime = "EngineConfig.onnxruntime"
            threads = {f"{runtime}.intra_op_num_threads": 1, f"{runtime}.inter_op_num_threads": 1}
            self._own.engine = RapidOCR(params={"Global.log_level": "error", **threads})
        return self._own.engine


def engines() -> int:
    """The number of pictures that are read at the same time."""
    return min(MOST_ENGINES, cores())


def missing() -> list[str]:
    """The packages that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def finding() -> tuple[Literal["ok", "bad"], str]:
    """Whether text can be read here, as `workers check` tells it."""
    if packages := missing():
        return "bad", f"{' and '.join(packages)} is not installed: run {install_hint('ocr')}."
    return "ok", f"{OCR_MODEL} by RapidOCR, {engines()} pictures at a time"


def _padded(picture: Pixels) -> Pixels:
    """The picture, and its last row or column again until it is no narrower than a share of its length.

    RapidOCR enlarges the shorter edge to 736 pixels, and a strip of 1280 x 3 would then fill the memory.
    """
    height, width = picture.shape[:2]
    least = -(-max(height, width) // MOST_TIMES_AS_LONG)
    more = ((0, max(0, least - height)), (0, max(0, least - width)), (0, 0))
    return np.pad(picture, more, mode="edge") if more != ((0, 0),) * 3 else picture


def _drawn() -> Pixels:
    page = Image.new("RGB", (400, 400), "white")
    ImageDraw.Draw(page).text((30, 170), CHECKED_TEXT, font=ImageFont.load_default(48), fill="black")
    return np.asarray(page)
