"""Scenes: one right sentence for each picture, and measurements that never draw what training has seen."""

import random
from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.scenes import COLOURS, RELATIONS, SHAPES, SIZES, Scene, Thing, draw, fresh_scenes, training_scenes


def test_the_grammar_is_as_rich_as_promised() -> None:
    assert len(COLOURS) >= 8
    assert len(SHAPES) >= 4
    assert len(SIZES) == 2
    assert len(RELATIONS) == 2


def test_fresh_scenes_are_different_and_the_same_for_the_same_seed() -> None:
    scenes = fresh_scenes(seed=4, count=300)
    assert len({scene.sentence for scene in scenes}) == 300
    assert scenes == fresh_scenes(seed=4, count=300)
    assert scenes != fresh_scenes(seed=5, count=300)


def test_training_never_draws_what_measurements_draw() -> None:
    seen = {scene.sentence for scene, _ in islice(training_scenes(seed=7), 3000)}
    assert not seen & {scene.sentence for scene in fresh_scenes(seed=7, count=500)}


@given(st.integers(0, 2**32))
def test_the_first_thing_lies_left_of_or_above_the_second_and_never_both(seed: int) -> None:
    rng = random.Random(seed)
    relation = rng.choice(RELATIONS)
    scene = Scene(Thing("small", "red", "circle"), relation, Thing("large", "blue", "square"), "white")
    pixels = np.asarray(draw(scene, rng, size=64)).astype(int)
    strong, weak = pixels > 180, pixels < 110
    red = np.argwhere(strong[..., 0] & weak[..., 1] & weak[..., 2]).mean(axis=0)
    blue = np.argwhere(weak[..., 0] & weak[..., 1] & strong[..., 2]).mean(axis=0)
    down, across = blue - red
    along, aside = (across, down) if relation == "left of" else (down, across)
    assert along > 2 * abs(aside)
