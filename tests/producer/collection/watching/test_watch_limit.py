"""Folders that the system cannot watch all at once are told of, and looked at instead."""

import subprocess
import sys
from pathlib import Path

import pytest

from producer.collection.watching.watch import check_watched
from producer.collection.watching.watch_limit import LIMITS, watch_limit
from settings import load_settings
from settings.errors import WrongUse
from tests.conftest import ROOT
from tests.producer.folders import closed_folder, made
from tests.rights import without_rights


def limits(folder: Path, *numbers: str) -> list[Path]:
    """Files that say the limits, as the system has them."""
    for place, number in enumerate(numbers):
        (folder / f"limit{place}").write_text(number)
    return [folder / f"limit{place}" for place in range(len(numbers))]


def test_more_folders_than_the_least_limit_are_too_many(tmp_path: Path) -> None:
    root = made(tmp_path / "root", *(f"{number}/a.jpg" for number in range(9)))
    assert watch_limit(root, limits(tmp_path, "2147483647\n", "10\n")) is None
    assert watch_limit(root, limits(tmp_path, "9\n", "1000\n")) == (
        "it has more folders than the 9 of fs.inotify.max_user_watches"
    )


def test_where_nothing_says_a_limit_the_system_is_asked(tmp_path: Path) -> None:
    root = made(tmp_path / "root", "a/a.jpg")
    assert watch_limit(root, limits(tmp_path, "many")) is None
    assert watch_limit(root, [tmp_path / "none"]) is None


def test_a_folder_that_is_closed_is_no_limit() -> None:
    with closed_folder() as folder, without_rights():
        assert watch_limit(folder) is None


@pytest.mark.parametrize("limit_is_known", [True, False])
def test_a_limit_that_is_reached_is_told(tmp_path: Path, limit_is_known: bool) -> None:
    root = made(tmp_path / "root", *(f"{number}/a.jpg" for number in range(30)))
    code = (
        "import sys; from pathlib import Path\n"
        "from producer.collection.watching.watch_limit import LIMITS, watch_limit\n"
        f"print(watch_limit(Path(sys.argv[1]), LIMITS if {limit_is_known} else ()))\n"
    )
    # A namespace of users of its own, whose limit is ours to set.
    script = f'echo 20 > {LIMITS[1]} && exec "$0" -c "$1" "$2"'
    command = ["unshare", "-Ur", "sh", "-c", script, sys.executable, code, str(root)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system gives no namespace of users")
    assert done.stdout.strip() == (
        "it has more folders than the 20 of fs.inotify.max_user_watches"
        if limit_is_known
        else "the system watches no more folders for this user, see fs.inotify.max_user_watches"
    )


def test_a_root_whose_name_is_not_utf_8_is_refused_in_one_sentence(tmp_path: Path) -> None:
    root = tmp_path / "caf\udce9"
    root.mkdir()
    with pytest.raises(WrongUse, match="cannot be watched, because its name is not UTF-8"):
        check_watched(root, load_settings())
