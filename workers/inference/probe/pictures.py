"""The pictures that precisions are compared on: drawn by a seed, so that nobody's own pictures are needed for it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 480, 360


def drawn(count: int) -> list[Image.Image]:
    """`count` different pictures, RGB of 480 x 360, the same ones at every call; any number of them begins alike.

    Each is a ground (a gradient, clouds as fine as in photos, stripes, or checks), things with sharp edges on it, and
    the grain of a sensor.
    """
    return [_one(number) for number in range(count)]


def _one(number: int) -> Image.Image:
    random = np.random.default_rng([7, number])
    colours = random.integers(0, 256, (2, 3)).astype(np.float64)
    share = _GROUNDS[number % len(_GROUNDS)](random)[..., None]
    light = colours[0] * share + colours[1] * (1 - share)
    light = light + (_clouds(random)[..., None] - 0.5) * random.uniform(0, 90)
    light += random.normal(0, random.uniform(1, 8), (HEIGHT, WIDTH, 1))
    picture = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    pen = ImageDraw.Draw(picture)
    for _ in range(int(random.integers(0, 7))):
        left, top, size = (
            int(random.integers(-40, WIDTH)),
            int(random.integers(-40, HEIGHT)),
            int(random.integers(20, 220)),
        )
        right, bottom = left + size, top + int(size * random.uniform(0.4, 1.6))
        red, green, blue = (int(level) for level in random.integers(0, 256, 3))
        draw = (pen.ellipse, pen.rectangle)[int(random.integers(2))]
        draw((left, top, right, bottom), fill=(red, green, blue))
    return picture


def _gradient(random: np.random.Generator) -> NDArray[np.float64]:
    down, across = np.mgrid[0 : 1 : HEIGHT * 1j, 0 : 1 : WIDTH * 1j]
    angle = random.uniform(0, 2 * np.pi)
    return _between(np.cos(angle) * across + np.sin(angle) * down)


def _clouds(random: np.random.Generator) -> NDArray[np.float64]:
    """Noise whose amplitude falls with the frequency, as in photos (Field 1987, J. Opt. Soc. Am. A 4)."""
    spectrum = np.fft.rfft2(random.standard_normal((HEIGHT, WIDTH)))
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None] * HEIGHT, np.fft.rfftfreq(WIDTH)[None] * WIDTH)
    return _between(np.fft.irfft2(spectrum / np.maximum(frequency, 1), (HEIGHT, WIDTH)))


def _stripes(random: np.random.Generator) -> NDArray[np.float64]:
    wave = np.sin(_gradient(random) * random.uniform(10, 160))
    return _between(wave + 0.6 * _clouds(random))


def _checks(random: np.random.Generator) -> NDArray[np.float64]:
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH] // int(random.integers(8, 60))
    return 0.7 * ((down + across) % 2) + 0.3 * _clouds(random)


def _between(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same field from 0 to 1."""
    low, high = float(field.min()), float(field.max())
    return (field - low) / (high - low)


_GROUNDS: tuple[Callable[[np.random.Generator], NDArray[np.float64]], ...] = (_gradient, _clouds, _stripes, _checks)
