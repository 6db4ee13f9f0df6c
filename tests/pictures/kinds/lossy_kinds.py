"""The kinds of JPEG, GIF and WebP."""

import io
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image

from tests.pictures.kinds.kind import SIDE, Kind, Values, opacity, rounded, scene, shown
from tests.pictures.kinds.tiff_file import Samples

LOSSY = 5.0


def all_kinds() -> Iterator[Kind]:
    """Every kind of JPEG, GIF and WebP."""
    yield from jpegs()
    yield from deep_jpegs()
    yield from gifs()
    yield from webps()


def _eight(values: Values) -> Image.Image:
    return Image.fromarray(np.round(values * 255).astype(np.uint8))


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def _deep(stored: Samples, **options: Any) -> bytes:
    return bytes(imagecodecs.jpeg_encode(stored, **options))


def jpegs() -> Iterator[Kind]:
    """Colours, sampling of the colours, in one pass or many, with marks to start anew."""
    for mode, sampling, progressive, restarts in product(
        ("RGB", "L", "CMYK"), ("4:4:4", "4:2:2", "4:2:0"), (False, True), (0, 2)
    ):
        if mode == "L" and sampling != "4:4:4":
            continue
        image = _eight(scene()).convert(mode)
        options = {
            "quality": 95,
            "subsampling": sampling,
            "progressive": progressive,
            "restart_marker_blocks": restarts,
        }
        yield Kind(
            f"JPEG {mode} {sampling} {'progressive' if progressive else 'baseline'} restart {restarts}",
            partial(_saved, image, "JPEG", **options),
            np.asarray(image.convert("RGB")).astype(float),
            LOSSY,
        )
    yield Kind(
        "JPEG kept as RGB", lambda: _saved(_eight(scene()), "JPEG", quality=95, keep_rgb=True), shown(scene()), LOSSY
    )


def deep_jpegs() -> Iterator[Kind]:
    """Without loss, and of more than 8 bits."""
    for bits, colour in product((8, 12, 16), ("grey", "RGB")):
        values = scene()[..., 0] if colour == "grey" else scene()
        stored = np.round(values * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
        yield Kind(
            f"JPEG {colour} u{bits} without loss",
            partial(_deep, stored, lossless=True, bitspersample=bits),
            shown(rounded(values, bits)),
            2.0,
        )
        if bits == 12:
            yield Kind(
                f"JPEG {colour} u{bits}",
                partial(_deep, stored, level=98, bitspersample=12),
                shown(values),
                LOSSY,
            )


def gifs() -> Iterator[Kind]:
    """Tables of every size, in one pass and in four, with a transparent colour, moving."""
    for colours, passes, clear, moving in product((2, 4, 16, 64, 256), (0, 1), (False, True), (False, True)):
        image = _eight(scene()).quantize(colours)
        stored = np.asarray(image)
        table = np.array(image.getpalette(), float).reshape(-1, 3)
        options: dict[str, Any] = {"interlace": passes}
        pixels = table[stored]
        if clear:
            one = int(np.bincount(stored.reshape(-1)).argmax())
            options["transparency"] = one
            pixels = np.where((stored == one)[..., None], 255.0, pixels)
        if moving:
            options |= {"save_all": True, "append_images": [Image.new("P", (SIDE, SIDE), 0)], "duration": 100}
        yield Kind(
            f"GIF of {colours} colours interlace {passes}{' clear' if clear else ''}{' moving' if moving else ''}",
            partial(_saved, image, "GIF", **options),
            pixels,
            1.5,
        )


def webps() -> Iterator[Kind]:
    """With loss and without, with an alpha, moving."""
    for lossless, clear, moving in product((False, True), (False, True), (False, True)):
        image = _eight(scene())
        if clear:
            image.putalpha(Image.fromarray(np.round(opacity() * 255).astype(np.uint8)))
        options: dict[str, Any] = {"lossless": lossless, "quality": 95, "exact": True}
        if moving:
            options |= {"save_all": True, "append_images": [Image.new(image.mode, image.size, "blue")], "duration": 100}
        more = f"{' alpha' if clear else ''}{' moving' if moving else ''}"
        yield Kind(
            f"WebP {'without' if lossless else 'with'} loss{more}",
            partial(_saved, image, "WEBP", **options),
            shown(scene(), opacity() if clear else None),
            1.5 if lossless else LOSSY,
        )
