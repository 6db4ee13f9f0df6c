"""The terms of a question are read as people write them, and their vectors are summed as they say."""

import math
import struct
from pathlib import Path

import pytest

from producer.search.terms import checked, terms_of
from producer.search.vectors import combined
from settings.errors import WrongUse


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a dog on a beach", [(1, "a dog on a beach")]),
        ("beach + dog - people", [(1, "beach"), (1, "dog"), (-1, "people")]),
        ("beach -people", [(1, "beach"), (-1, "people")]),
        ("- people + beach", [(-1, "people"), (1, "beach")]),
        ("2:dog + 0.5:snow", [(2, "dog"), (0.5, "snow")]),
        ("sea - 1.5: boats", [(1, "sea"), (-1.5, "boats")]),
        ("a T-shirt at -5 degrees", [(1, "a T-shirt at -5 degrees")]),
        ("noon at 12:30, a 16:9 picture", [(1, "noon at 12:30, a 16:9 picture")]),
        ("12:30 at night", [(1, "12:30 at night")]),
        ('"Oslo - winter" + snow', [(1, "Oslo - winter"), (1, "snow")]),
        ("C++ and 1+1", [(1, "C++ and 1+1")]),
        ("京都 + 紅葉", [(1, "京都"), (1, "紅葉")]),
    ],
)
def test_signs_and_weights_are_read(text: str, terms: list[tuple[float, str]]) -> None:
    assert [(term.weight, term.words) for term in terms_of(text, files=True)] == terms


def test_a_path_is_a_picture_only_where_files_may_be_named(tmp_path: Path) -> None:
    file = tmp_path / "pool.jpg"
    file.write_bytes(b"a picture")
    picture, words = terms_of(f"{file} + night", files=True)
    assert picture.picture is not None
    assert (picture.picture.path, words.words) == (file, "night")
    assert [term.words for term in terms_of(f"{file} + night", files=False)] == [str(file), "night"]


def test_terms_that_only_take_away_are_refused() -> None:
    with pytest.raises(WrongUse, match="not only what to leave out"):
        checked(terms_of("- people", files=False))


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def test_the_vector_of_a_question_is_the_weighted_sum_of_length_one() -> None:
    found = struct.unpack("<2f", combined([2.0, -1.0], [vector(1, 0), vector(0, 1)]))
    assert found == pytest.approx((2 / math.sqrt(5), -1 / math.sqrt(5)))


def test_a_single_term_keeps_its_vector_bit_by_bit() -> None:
    assert combined([3.0], [vector(0.6, 0.8)]) == vector(0.6, 0.8)


def test_terms_that_cancel_each_other_out_are_refused() -> None:
    with pytest.raises(WrongUse, match="take each other away"):
        combined([1.0, -1.0], [vector(0.6, 0.8), vector(0.6, 0.8)])
