"""Numbers of any depth: which of them is black, and which is white."""

import numpy as np
import pytest

from pictures.codecs.samples import SampleKind, eight_bits, span_of


@pytest.mark.parametrize(
    ("letter", "bits", "declared", "numbers", "span"),
    [
        ("u", 8, None, [3, 9], (0, 255)),
        ("u", 12, None, [3, 9], (0, 4095)),
        ("u", 16, None, [3, 9], (0, 65535)),
        ("u", 16, (0, 4095), [3, 9], (0, 4095)),
        # A largest number that is no depth tells of the picture, and not of the range.
        ("u", 16, (0, 3000), [3, 9], (0, 65535)),
        ("u", 32, None, [3, 200], (0, 255)),
        ("u", 32, None, [3, 2**31], (0, 2**32 - 1)),
        ("u", 64, None, [3, 60_000], (0, 65535)),
        ("i", 8, None, [0, 100], (0, 127)),
        ("i", 16, None, [0, 100], (0, 32767)),
        ("i", 16, None, [-5, 100], (-32768, 32767)),
        ("i", 32, None, [-5, 100], (-128, 127)),
        ("i", 32, None, [-(2**31), 100], (-(2**31), 2**31 - 1)),
        ("f", 32, None, [0.1, 0.9], (0, 1)),
        ("f", 32, None, [0.1, 0.9, 0.8, 40.0], (0, 1)),
        ("f", 32, (-2, 5), [0.1, 0.9], (-2, 5)),
        ("f", 32, None, [np.nan, np.inf], (0, 1)),
        ("f", 32, None, [0.0, 0.0], (0, 1)),
    ],
)
def test_the_range_follows_the_depth_the_tags_and_the_numbers(
    letter: str, bits: int, declared: tuple[float, float] | None, numbers: list[float], span: tuple[float, float]
) -> None:
    values = np.array(numbers, np.float32 if letter == "f" else f"{letter}8")
    assert span_of(values, SampleKind(letter, bits, declared)) == span


def test_a_float_picture_beyond_one_has_its_own_range_without_the_outermost_numbers() -> None:
    values = np.linspace(0, 255, 10_000).astype(np.float32)
    values[-1] = 1e30
    low, high = span_of(values, SampleKind("f", 32))
    assert low == 0
    assert 250 < high < 260


def test_what_is_beyond_the_range_is_clipped_and_what_is_no_number_is_black() -> None:
    values = np.array([[-1, 0, 0.5, 1, 2, np.inf, -np.inf, np.nan]], np.float64)
    assert eight_bits(values, (0, 1)).tolist() == [[0, 0, 128, 255, 255, 255, 0, 0]]


def test_one_number_throughout_is_no_division_by_zero() -> None:
    values = np.full((4, 4), 70.0, np.float32)
    assert eight_bits(values, span_of(values, SampleKind("f", 32))).max() <= 255
