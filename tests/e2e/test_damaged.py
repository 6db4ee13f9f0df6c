"""A picture that is nearly whole is stored and found as damaged; one of which too little is there fails by name."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Home
from tests.e2e.in_process import stack_without_models
from tests.pictures.made.pictures import encoded, smooth

pytestmark = pytest.mark.e2e


@pytest.fixture
def home(tmp_path: Path, redis_process: str) -> Iterator[Home]:
    """A home without models whose stack is up."""
    with stack_without_models(tmp_path, redis_process) as kept:
        yield kept


def test_damaged_pictures_are_found_as_such(home: Home, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, form in enumerate(("jpg", "png")):
        data = encoded(smooth(200, 150, seed=number), {"jpg": "JPEG", "png": "PNG"}[form])
        (folder / f"whole.{form}").write_bytes(data)
        (folder / f"nearly whole.{form}").write_bytes(data[:-14])
        (folder / f"half.{form}").write_bytes(data[: len(data) // 2])
    told = home.json("ingest", str(folder))
    assert (told["stored"], told["failed"], told["exit"]) == (4, 2, 1)
    reasons = {row["uri"].rpartition("/")[2]: row["reason"] for row in home.json("errors", told["job"])["errors"]}
    assert set(reasons) == {"half.jpg", "half.png"}
    assert all(reason.startswith("the picture is cut off (") for reason in reasons.values())
    for condition in ("damaged=true", "has:damaged"):
        found = home.json("search", "--where", condition)["results"]
        assert {row["name"] for row in found} == {"nearly whole.jpg", "nearly whole.png"}
        assert all(row["damaged"] is True and row["damage"].startswith("its data end too early") for row in found)
    found = home.json("search", "--where", "damaged=false")["results"]
    assert {row["name"] for row in found} == {"whole.jpg", "whole.png"}
