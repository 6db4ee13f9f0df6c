"""What counts as gone, and when so much is gone that a disk is missing."""

import os
from pathlib import Path

import pytest

from pictures.uris import uri_of
from producer.collection.prune import FEW, Folders, Sweep, folder_to_sweep, is_gone
from settings.errors import WrongUse
from tests.producer.folders import closed_folder, made
from tests.rights import without_rights


def swept(folder: Path, gone: int, there: int, below: str = "") -> Sweep:
    found = Sweep()
    made(folder, *(f"there-{number}.png" for number in range(there)))
    for name in [f"{below}gone-{number}.png" for number in range(gone)] + [f"there-{n}.png" for n in range(there)]:
        path = bytes(folder / name)
        found.look_at(uri_of(path), path)
    assert (found.checked, len(found.gone)) == (gone + there, gone)
    return found


def test_a_file_is_gone_when_nothing_or_a_folder_is_in_its_place(tmp_path: Path) -> None:
    made(tmp_path, "a.png", "b.png/c.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing.png")
    for name, gone in (("a.png", False), ("b.png", True), ("x.png", True), ("a.png/x.png", True), ("link.png", True)):
        assert is_gone(bytes(tmp_path / name)) is gone


def test_a_file_that_cannot_be_looked_at_is_kept_and_counted() -> None:
    with closed_folder() as root, without_rights():
        found = Sweep()
        path = os.fsencode(root / "closed" / "b.jpg")
        found.look_at(uri_of(path), path)
    assert (found.checked, found.gone, found.unsure) == (1, [], 1)


def test_a_few_files_may_be_gone_without_a_question(tmp_path: Path) -> None:
    assert swept(tmp_path, FEW, 0).doubt() is None


def test_many_files_that_are_less_than_half_may_be_gone(tmp_path: Path) -> None:
    assert swept(tmp_path, FEW + 1, FEW + 1).doubt() is None


def test_more_than_half_of_many_files_is_doubted(tmp_path: Path) -> None:
    assert swept(tmp_path, FEW + 2, FEW + 1).doubt() == "that is more than half"


def test_many_files_that_were_below_a_folder_that_is_empty_now_are_doubted(tmp_path: Path) -> None:
    (tmp_path / "mount").mkdir()
    doubt = swept(tmp_path, FEW + 1, 3 * FEW, below="mount/2024/").doubt()
    assert doubt is not None
    assert f"below {tmp_path / 'mount'}, which is there but empty" in doubt


def test_an_empty_or_missing_folder_is_refused_unless_forced(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"is empty.*not mounted.*--force"):
        folder_to_sweep(tmp_path)
    assert folder_to_sweep(tmp_path, force=True) == tmp_path
    with pytest.raises(WrongUse, match="There is no folder"):
        folder_to_sweep(tmp_path / "nowhere")
    assert folder_to_sweep(tmp_path / "nowhere", force=True) == tmp_path / "nowhere"
    made(tmp_path, "notes.txt")
    assert folder_to_sweep(tmp_path) == tmp_path


def test_what_lies_in_folders_is_told_by_whole_names() -> None:
    folders = Folders([b"/photos/2024", b"/other"])
    for inside in (b"/photos/2024", b"/photos/2024/a.jpg", b"/other/x/y.jpg"):
        assert folders.hold(inside)
    for outside in (b"/photos", b"/photos/2024b/a.jpg", b"/photos/a.jpg", b"/", b""):
        assert not folders.hold(outside)
    for root in (b"/", b"/photos", b"/photos/2024", b"/photos/2024/summer", b"/other"):
        assert folders.touch(root)
    for elsewhere in (b"/photos/2023", b"/pho", b"/others"):
        assert not folders.touch(elsewhere)
    assert Folders([b"/"]).hold(b"/a.jpg")
    assert not Folders([]).touch(b"/a")


def test_a_hundred_thousand_folders_that_moved_are_told_from_others_one_by_one() -> None:
    # Each folder against each path would be ten thousand million comparisons.
    names = [b"/photos/%d/%d" % (number // 100, number) for number in range(100_000)]
    folders = Folders(names)
    assert sum(folders.hold(name + b"/a.jpg") for name in names) == len(names)
    assert not any(folders.touch(name + b"x") for name in names)
