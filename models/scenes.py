"""Scenes: two coloured shapes in relation on a plain background, and the one sentence that is right for each.

The grammar::

    sentence   = thing relation thing "on a" background "background"
    thing      = "a" size colour shape
    relation   = "left of" | "above"

Every picture has exactly one right sentence: the left or upper thing is always named first, and the two centres
are far apart along the axis of the relation and close along the other, so that nothing is both left and above.
"""

import math
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIZES = ("small", "large")
SHAPES = ("circle", "square", "triangle", "star")
RELATIONS = ("left of", "above")
COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 32, 38),
    "orange": (245, 138, 20),
    "yellow": (246, 222, 52),
    "green": (40, 150, 62),
    "blue": (38, 84, 204),
    "purple": (128, 44, 158),
    "pink": (246, 140, 190),
    "brown": (116, 68, 30),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (250, 250, 248),
    "gray": (150, 152, 154),
    "black": (16, 16, 18),
}
# Shares of the picture's edge, from and to.
RADIUS = {"small": (0.12, 0.14), "large": (0.185, 0.215)}


@dataclass(frozen=True)
class Thing:
    """One shape of a scene: what it is, not where."""

    size: str
    colour: str
    shape: str

    def __str__(self) -> str:
        return f"a {self.size} {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """What a picture shows; `first` is the left or the upper thing."""

    first: Thing
    relation: str
    second: Thing
    background: str

    @property
    def sentence(self) -> str:
        """The one sentence of the grammar that is right for this scene."""
        return f"{self.first} {self.relation} {self.second} on a {self.background} background"

    @property
    def held_out(self) -> bool:
        """True for the tenth of all sentences that training never draws; measurements draw only these."""
        return zlib.crc32(self.sentence.encode()) % 10 == 0


def random_scene(rng: random.Random, held_out: bool, small: float | None = None) -> Scene:
    """Draw one scene from the held-out sentences, or from the others.

    Uniformly, or with a share of `small` things for training where it is weakest.
    """
    while True:
        scene = Scene(_thing(rng, small), rng.choice(RELATIONS), _thing(rng, small), rng.choice(tuple(BACKGROUNDS)))
        if scene.held_out == held_out:
            return scene


def fresh_scenes(seed: int, count: int) -> list[Scene]:
    """`count` different held-out scenes: the same ones for the same seed."""
    rng = random.Random(seed)
    found: dict[str, Scene] = {}
    while len(found) < count:
        scene = random_scene(rng, held_out=True)
        found.setdefault(scene.sentence, scene)
    return list(found.values())


def training_scenes(seed: int, small: float | None = None) -> Iterator[tuple[Scene, random.Random]]:
    """An endless stream of scenes that are not held out, each with the generator to draw it with."""
    rng = random.Random(seed)
    while True:
        yield random_scene(rng, held_out=False, small=small), rng


def draw(
    scene: Scene, rng: random.Random, size: int = 256, small_radius: tuple[float, float] = RADIUS["small"]
) -> Image.Image:
    """Draw a scene as an RGB picture of `size` x `size` pixels; place, radius, turn and shade vary with `rng`.

    Another `small_radius` than the world's own draws smaller and so harder pictures to train on.
    """
    # Drawn at twice the size and reduced: ImageDraw has no anti-aliasing of its own.
    canvas = 2 * size
    image = Image.new("RGB", (canvas, canvas), _shade(BACKGROUNDS[scene.background], rng))
    pen = ImageDraw.Draw(image)
    ranges = {**RADIUS, "small": small_radius}
    radii = [rng.uniform(*ranges[thing.size]) * canvas for thing in (scene.first, scene.second)]
    for thing, radius, (x, y) in zip((scene.first, scene.second), radii, _centres(scene.relation, radii, canvas, rng)):
        _draw_shape(pen, thing, x, y, radius, rng)
    return image.reduce(2)


def _thing(rng: random.Random, small: float | None) -> Thing:
    size = rng.choice(SIZES) if small is None else rng.choices(SIZES, (small, 1 - small))[0]
    return Thing(size, rng.choice(tuple(COLOURS)), rng.choice(SHAPES))


def _shade(colour: tuple[int, int, int], rng: random.Random) -> tuple[int, ...]:
    return tuple(max(0, min(255, channel + rng.randint(-8, 8))) for channel in colour)


def _centres(relation: str, radii: list[float], canvas: int, rng: random.Random) -> list[tuple[float, float]]:
    margin = 0.02 * canvas
    first = rng.uniform(margin + radii[0], max(margin + radii[0], 0.30 * canvas))
    second = canvas - rng.uniform(margin + radii[1], max(margin + radii[1], 0.30 * canvas))
    middle = canvas / 2 + rng.uniform(-0.18, 0.18) * canvas
    across = [middle + rng.uniform(-0.06, 0.06) * canvas for _ in range(2)]
    along = (first, second)
    if relation == "left of":
        return list(zip(along, across))
    return list(zip(across, along))


def _draw_shape(pen: ImageDraw.ImageDraw, thing: Thing, x: float, y: float, radius: float, rng: random.Random) -> None:
    colour = _shade(COLOURS[thing.colour], rng)
    if thing.shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        return
    turn = rng.uniform(-0.12, 0.12)
    if thing.shape == "square":
        spokes: tuple[float, ...] = (1.0,)
        corners, start = 4, math.pi / 4
    elif thing.shape == "triangle":
        spokes = (1.08,)
        corners, start = 3, -math.pi / 2
    else:
        spokes = (1.12, 0.45)
        corners, start = 10, -math.pi / 2
    points = []
    for corner in range(corners):
        angle = start + turn + 2 * math.pi * corner / corners
        reach = radius * spokes[corner % len(spokes)]
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    pen.polygon(points, fill=colour)
