"""The precision beside a figure says how near its results are, in the words of the probe."""

import json
from pathlib import Path

from benchmarks.figures.precisions import kept_fidelity, told
from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.rows import Answer


def test_a_precision_is_told_with_what_was_compared_and_alone_where_nothing_was() -> None:
    assert told("float32", Fidelity()) == "float32"
    assert told("int8", Fidelity(0.99921, 0.9978)) == "int8 (cosine 0.9978)"
    assert told("bfloat16", Fidelity(same=1.0)) == "bfloat16 (100% same)"


def test_the_answer_about_clip_is_found_among_what_a_stack_has_kept(tmp_path: Path) -> None:
    assert kept_fidelity(tmp_path) == Fidelity()
    for kind, fidelity in (("blip", Fidelity(same=1.0)), ("clip", Fidelity(0.999, 0.99))):
        kept = {"key": {"checkpoint": f"{kind} a-model@1"}, "answer": Answer("int8", fidelity=fidelity).as_json()}
        (tmp_path / f"{kind}.json").write_text(json.dumps(kept))
    (tmp_path / "parts AMD EPYC.json").write_text('{"8": 4}')
    assert kept_fidelity(tmp_path) == Fidelity(0.999, 0.99)
