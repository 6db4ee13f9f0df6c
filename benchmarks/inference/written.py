"""Pictures of text whose words are known: typefaces, sizes, angles, light and dark paper, noise."""

import random
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pictures.picture import Pixels

TEXT = """
invoice total amount receipt garden station market window yellow bridge winter coffee ticket platform museum library
summer travel street number closed open please thanks welcome kitchen morning evening doctor pharmacy hospital school
bakery butter cheese tomato potato salad orange banana message letter parcel account balance payment customer order
delivery address phone email website
"""
WORDS = TEXT.split()
# Those that come with Pillow and OpenCV, so that every machine draws the same.
FACES = {
    "Aileron": None,
    "Hershey simplex": cv2.FONT_HERSHEY_SIMPLEX,
    "Hershey duplex": cv2.FONT_HERSHEY_DUPLEX,
    "Hershey complex": cv2.FONT_HERSHEY_COMPLEX,
    "Hershey triplex": cv2.FONT_HERSHEY_TRIPLEX,
}
HEIGHTS = (20, 28, 40)
ANGLES = (0, 0, 3, -5, 8, -12, 15, 90, 180)
# The standard deviation of grey grain, of 255.
NOISES = (0, 8, 20)
PAPERS = (((250, 245, 235), (20, 20, 20)), ((30, 30, 40), (240, 240, 240)))
SIZE = (900, 700)
LEFT, TOP = 150, 200


class Written(NamedTuple):
    """A picture of text: uint8 RGB, the words in it, and how it was made."""

    pixels: Pixels
    words: list[str]
    face: str
    angle: int
    noise: int


def written(number: int) -> Written:
    """Picture `number` of an endless row; the same on every machine."""
    rng = random.Random(number)
    face = list(FACES)[number % len(FACES)]
    angle, noise, height = rng.choice(ANGLES), rng.choice(NOISES), rng.choice(HEIGHTS)
    paper, ink = rng.choice(PAPERS)
    lines = [[rng.choice(WORDS) for _ in range(rng.randint(2, 4))] for _ in range(rng.randint(2, 5))]
    page = Image.new("RGB", SIZE, paper)
    for row, line in enumerate(lines):
        page = _with_line(page, " ".join(line), TOP + row * height * 17 // 10, height, face, ink)
    page = page.rotate(angle, Image.Resampling.BICUBIC, fillcolor=paper)
    grain = np.random.default_rng(number).normal(0, noise, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(page, dtype=np.float32) + grain, 0, 255).astype(np.uint8)
    return Written(pixels, [word for line in lines for word in line], face, angle, noise)


def _with_line(
    page: Image.Image, text: str, top: int, height: int, face: str, ink: tuple[int, int, int]
) -> Image.Image:
    font = FACES[face]
    if font is None:
        ImageDraw.Draw(page).text((LEFT, top), text, font=ImageFont.load_default(height), fill=ink)
        return page
    drawn = np.array(page)
    # A letter of these is 24 pixels high at scale 1.
    cv2.putText(drawn, text, (LEFT, top + height), font, height / 24, ink, max(1, height // 14), cv2.LINE_AA)
    return Image.fromarray(drawn)
