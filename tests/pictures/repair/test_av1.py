"""The size that the pixels of an AVIF claim is read from them, and never from the boxes around them."""

import pytest
from PIL import Image

from pictures.repair import av1
from tests.pictures.made.hand_made import claiming
from tests.pictures.made.pictures import encoded, smooth

pytestmark = pytest.mark.skipif("AVIF" not in Image.SAVE, reason="this Pillow writes no AVIF")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (130, 70), (515, 300)])
def test_the_size_of_an_avif_is_read_from_its_pixels(size: tuple[int, int], mode: str) -> None:
    data = encoded(smooth(*size).convert(mode), "AVIF", speed=10)
    assert av1.claimed_size(data) == size
    if size != (1, 1):
        assert av1.claimed_size(claiming(data, "AVIF", 9, 9)) == size


def test_the_size_of_a_film_is_that_of_its_pictures() -> None:
    film = encoded(smooth(80, 60), "AVIF", save_all=True, append_images=[smooth(80, 60, seed=1)])
    assert av1.claimed_size(film) == (80, 60)


def test_bytes_that_are_no_avif_claim_nothing_and_end() -> None:
    sound = encoded(smooth(96, 64), "AVIF")
    for end in range(0, sound.index(b"mdat"), 7):
        assert av1.claimed_size(sound[:end]) is None
    assert av1.claimed_size(b"") is None
    assert av1.claimed_size(b"iloc" * 100) is None
