"""A child that decodes one file for a model of 224 pixels and prints how many bytes it took for each pixel at most."""

import sys
from dataclasses import replace
from pathlib import Path

from PIL import Image

from benchmarks.processes.ingest import resident_peak
from pictures.decode import decode
from workers.inference.null import NullClip

CLIP = replace(NullClip("null").model_input, width=224, height=224, edge=224, resample=int(Image.Resampling.BICUBIC))


def main(path: str) -> None:
    """Measure one decode."""
    with Image.open(path) as image:
        pixels = image.width * image.height
    before = resident_peak()
    decode(Path(path).read_bytes(), 10**9, CLIP, None)
    print((resident_peak() - before) / pixels)


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main(sys.argv[1])
