"""What a million points cost is measured here with a few: each question, and the exact counts of its answers."""

from pathlib import Path

import numpy as np

from benchmarks.large.made_up import BATCH, NEAR, embeddings
from benchmarks.large.million import FIGURES, _ask, _copies, _fill, _near

POINTS = 5 * BATCH + 40
OF_A_STACK = {"asked_p50", "export", "export_memory", "map", "map_memory"}


def test_each_question_about_a_collection_gives_its_figures_and_the_exact_counts(tmp_path: Path) -> None:
    found: dict[str, float] = {}
    for work in (_fill, _ask, _copies, _near):  # each raises WrongCount where one is wrong
        found |= work(tmp_path, POINTS)
    assert found.keys() == FIGURES.keys() - OF_A_STACK
    assert min(found[name] for name in ("write", "disk", "search_p50", "near_processor", "near_memory")) > 0


def test_the_near_copies_of_a_batch_are_known_and_its_others_are_none() -> None:
    rows = embeddings(0, BATCH)
    cosines = rows @ rows.T
    assert min(cosines[row, BATCH - NEAR + row] for row in range(NEAR)) > 0.9
    others = cosines[NEAR:-NEAR, NEAR:-NEAR]
    assert others[~np.eye(len(others), dtype=bool)].max() < 0.95
    assert (embeddings(0, BATCH) == rows).all()
