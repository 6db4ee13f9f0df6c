"""The built-in set of pictures: always the same ones, and all different."""

import numpy as np

from workers.inference.probe.pictures import HEIGHT, WIDTH, drawn


def test_the_pictures_are_the_same_at_every_call_and_no_two_are_alike() -> None:
    first, again = drawn(8), drawn(4)
    assert [picture.tobytes() for picture in again] == [picture.tobytes() for picture in first[:4]]
    assert len({picture.tobytes() for picture in first}) == 8
    assert {(picture.mode, picture.size) for picture in first} == {("RGB", (WIDTH, HEIGHT))}


def test_they_have_light_and_dark_parts() -> None:
    assert min(float(np.asarray(picture).std()) for picture in drawn(8)) > 10
