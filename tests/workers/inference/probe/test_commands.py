"""The command `bench-models`, on the shipped checkpoints."""

import json

import pytest
from click.testing import CliRunner

from settings import load_settings
from settings.errors import WrongUse
from workers.inference.probe import commands
from workers.inference.probe.commands import bench_models
from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.rows import TAKEN, Row

ROWS = [
    Row("float32", 70.123, state="slower"),
    Row("bfloat16", state="it fails: RuntimeError: a long sentence about the reason that no column has room for"),
    Row("int8 for pictures alone", 31.0, Fidelity(0.99921, 0.99776), TAKEN),
    Row("int8", 12345.6, Fidelity(same=0.96875), "97% of the captions are the same"),
]


def printed(*options: str) -> str:
    """What the command prints."""
    return CliRunner().invoke(bench_models, options, catch_exceptions=False).output


def test_both_models_are_measured_in_each_precision() -> None:
    models = json.loads(printed("--json"))["models"]
    assert [model["model"].split("@")[0] for model in models] == ["shapes-clip", "shapes-blip"]
    for model in models:
        names = [row["precision"] for row in model["precisions"]]
        assert names[0] == "float32"
        assert "int8" in names
        assert [row["taken"] for row in model["precisions"]].count(True) == 1
        assert all(row["ms_per_picture"] > 0 for row in model["precisions"])


def test_the_table_has_80_columns_at_most_and_says_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_measured", lambda settings: iter([("vit@1", ROWS)]))
    lines = printed().splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[2:] == [
        "  float32                     70.1                        slower",
        "  bfloat16                                                it fails",
        "  int8 for pictures alone     31.0  0.9992  0.9978        yes",
        "  int8                     12345.6                   97%  not near enough",
    ]
    (row, *_) = [row for row in json.loads(printed("--json"))["models"][0]["precisions"] if row["taken"]]
    assert (row["cosine_median"], row["cosine_worst"], row["captions_same"]) == (0.99921, 0.99776, None)


def test_the_null_model_has_nothing_to_measure(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    null = settings.model_copy(update={"models": settings.models.model_copy(update={"clip": "null"})})
    monkeypatch.setattr(commands, "load_settings", lambda: null)
    with pytest.raises(WrongUse, match=r'^models\.clip = "null" computes nothing: name a checkpoint\.$'):
        printed()
