"""How long an ingest takes with captions and without, told where it matters."""

import pytest

from producer.ingest.estimate import estimate
from tasks.messages import Target

TARGET = Target("pictures", "clip", "blip")


def test_both_times_follow_from_the_seconds_of_a_picture() -> None:
    told = estimate([{"clip": 0.075, "blip": 0.735}], TARGET, 40_000)
    assert told.startswith("About 9 h with captions, 50 min without. ")
    assert "--captions later" in told


def test_workers_share_the_files_by_their_speed() -> None:
    alone = estimate([{"clip": 0.1, "blip": 1.0}], TARGET, 100_000)
    beside = estimate([{"clip": 0.1, "blip": 1.0}, {"clip": 0.1, "blip": 1.0}], TARGET, 200_000)
    assert alone == beside
    assert alone.startswith("About 31 h with captions, 3 h without. ")


def test_days_are_told_as_days() -> None:
    assert estimate([{"clip": 0.1, "blip": 1.0}], TARGET, 1_000_000).startswith("About 13 days with captions, 28 h ")


@pytest.mark.parametrize(
    ("speeds", "target", "left"),
    [
        ([], TARGET, 40_000),
        ([{"clip": 0.1}], TARGET, 40_000),
        ([{"another": 0.1, "blip": 1.0}], TARGET, 40_000),
        ([{"clip": 0.1, "blip": 1.0}], Target("pictures", "clip", ""), 40_000),
        ([{"clip": 0.1, "blip": 1.0}], TARGET, 800),
    ],
    ids=["nobody measured", "no caption yet", "another model", "no captions wanted", "it is done soon"],
)
def test_nothing_is_told_where_nobody_knows_or_it_does_not_matter(
    speeds: list[dict[str, float]], target: Target, left: int
) -> None:
    assert estimate(speeds, target, left) == ""
