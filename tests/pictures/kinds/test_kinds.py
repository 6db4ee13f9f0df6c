"""Every kind of picture is the picture that it stands for: no noise, nothing black, nothing called damaged."""

import numpy as np
import pytest

from pictures.decode import decode
from tests.pictures.kinds import bmp_kinds, lossy_kinds, png_kinds, tiff_kinds
from tests.pictures.kinds.kind import SIDE, Kind
from tests.pictures.made.pictures import MAX_PIXELS, WHOLE, levels_apart

KINDS = [kind for made in (tiff_kinds, png_kinds, bmp_kinds, lossy_kinds) for kind in made.all_kinds()]


def test_there_are_many_kinds_and_no_two_have_one_name() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 400


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_picture_has_the_known_pixels(kind: Kind) -> None:
    picture = decode(kind.write(), MAX_PIXELS, WHOLE, None)
    assert (picture.width, picture.height) == (SIDE, SIDE)
    assert picture.format == kind.name.removeprefix("Big").split()[0].upper()
    # A mean hides a corner that is black, or a stripe of noise; so no tile of the picture may be far away either.
    apart = np.abs(picture.clip.astype(float) - kind.pixels).mean(axis=2)
    tiles = apart.reshape(4, SIDE // 4, 4, SIDE // 4).mean(axis=(1, 3))
    assert levels_apart(picture.clip, kind.pixels) < kind.levels
    assert tiles.max() < 4 * kind.levels
