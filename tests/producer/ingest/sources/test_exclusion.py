"""What is left out of an ingest: other programs' files, the user's patterns, ignore files; and what is said of it."""

import os
from pathlib import Path

import pytest

from producer.formatting import shown
from producer.ingest.outcome import sentences
from producer.ingest.sources.exclusion import EXTENSIONS, Exclusion, PassedOver, exclusion_of
from producer.ingest.sources.scan import scan
from settings.errors import WrongUse
from tests.producer.folders import made
from tests.rights import without_rights


def found(root: Path, *patterns: str, data: Path | None = None, passed_over: PassedOver | None = None) -> list[str]:
    """What a scan of `root` finds under these patterns, as paths below it."""
    rules = exclusion_of(root, patterns, data or root / "elsewhere")
    return [os.path.relpath(shown(ref.uri), root) for ref in scan(root, rules, passed_over or PassedOver())]


OTHER_PROGRAMS = [
    "._IMG_1.jpg",
    ".hidden/a.jpg",
    "@eaDir/IMG_1.jpg/SYNOPHOTO_THUMB_M.jpg",
    "#recycle/a.jpg",
    "$RECYCLE.BIN/S-1-5-21/$RABC.jpg",
    ".Trash-1000/files/a.jpg",
    ".Trashes/501/a.jpg",
    ".thumbnails/large/0a.png",
    ".stversions/a~20240101.jpg",
    "Catalog Previews.lrdata/0/a.jpg",
    "__MACOSX/._a.jpg",
    "System Volume Information/a.jpg",
    "lost+found/a.jpg",
]


@pytest.mark.parametrize("name", OTHER_PROGRAMS)
def test_what_other_programs_keep_beside_pictures_is_left_out(name: str, tmp_path: Path) -> None:
    made(tmp_path, name, f"deeper/{name}", "own.jpg")
    assert found(tmp_path) == ["own.jpg"]
    rules = exclusion_of(None, [], tmp_path)
    assert [rules.excludes_path(key) for key in (name, f"deeper/{name}", "own.jpg")] == [True, True, False]


def test_names_that_only_look_like_these_are_kept(tmp_path: Path) -> None:
    names = ["eaDir/a.jpg", "recycle/a.jpg", "a.lrdata.jpg", "my__MACOSX/a.jpg", "trash/a.jpg", "_.jpg"]
    made(tmp_path, *names)
    assert sorted(found(tmp_path)) == sorted(names)


@pytest.mark.parametrize("pattern", ["Entwu\u0308rfe/", "Entwürfe/"])
def test_a_pattern_fits_a_name_whose_accents_are_in_another_form(pattern: str, tmp_path: Path) -> None:
    made(tmp_path, "Entwürfe/a.jpg", "Entwu\u0308rfe/b.jpg", "own.jpg")
    assert found(tmp_path, pattern) == ["own.jpg"]
    (tmp_path / ".darkroomignore").write_text(pattern)
    assert found(tmp_path) == ["own.jpg"]


def test_a_root_that_is_itself_hidden_is_ingested(tmp_path: Path) -> None:
    made(tmp_path, ".photos/a.jpg")
    assert found(tmp_path / ".photos") == ["a.jpg"]


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("exports/", ["a.jpg", "a.tif", "b/a.jpg", "b/a.tif"]),
        ("*.tif", ["a.jpg", "b/a.jpg", "b/exports/a.jpg", "exports/a.jpg"]),
        ("/exports", ["a.jpg", "a.tif", "b/a.jpg", "b/a.tif", "b/exports/a.jpg"]),
        ("b/*", ["a.jpg", "a.tif", "exports/a.jpg"]),
        ("b/**/a.jpg", ["a.jpg", "a.tif", "b/a.tif", "exports/a.jpg"]),
        ("# a remark", ["a.jpg", "a.tif", "b/a.jpg", "b/a.tif", "b/exports/a.jpg", "exports/a.jpg"]),
    ],
)
def test_a_pattern_means_what_it_means_to_git(pattern: str, left: list[str], tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "a.tif", "exports/a.jpg", "b/a.jpg", "b/a.tif", "b/exports/a.jpg")
    assert sorted(found(tmp_path, pattern)) == left
    rules = exclusion_of(None, [pattern], tmp_path)
    keys = ["a.jpg", "a.tif", "exports/a.jpg", "b/a.jpg", "b/a.tif", "b/exports/a.jpg"]
    assert sorted(key for key in keys if not rules.excludes_path(key)) == left


def test_the_last_pattern_that_matches_decides_and_takes_hidden_folders_in_again(tmp_path: Path) -> None:
    made(tmp_path, ".a/1.jpg", ".b/1.jpg", "c/1.jpg", "c/2.jpg")
    assert found(tmp_path, "!.a", "*2.jpg", "c/1.jpg", "!c/1.jpg") == [".a/1.jpg", "c/1.jpg"]


def test_an_ignore_file_holds_for_its_folder_and_below_it_and_wins_over_those_above(tmp_path: Path) -> None:
    made(tmp_path, "raw/1.jpg", "a/raw/1.jpg", "a/b/raw/1.jpg", "a/b/2.jpg", "c/2.jpg")
    (tmp_path / ".darkroomignore").write_text("raw/\n/c\n")
    (tmp_path / "a" / "b" / ".darkroomignore").write_text("!raw\n2.jpg\n")
    assert found(tmp_path) == ["a/b/raw/1.jpg"]
    rules = exclusion_of(tmp_path, [], tmp_path / "elsewhere")
    every = [path for path in tmp_path.rglob("*.jpg") if not rules.excludes_path(str(path))]
    assert every == [tmp_path / "a" / "b" / "raw" / "1.jpg"]


def test_the_data_of_darkroom_itself_are_left_out_under_whatever_name(tmp_path: Path) -> None:
    made(tmp_path, "real/darkroom/thumbnails/a.jpg", "real/a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    for root in (tmp_path / "real", tmp_path / "link"):
        assert found(root, data=tmp_path / "link" / "darkroom") == ["a.jpg"]
    assert found(tmp_path / "real" / "darkroom", data=tmp_path / "real" / "darkroom") == ["thumbnails/a.jpg"]


def test_a_folder_whose_ignore_file_cannot_be_read_is_not_taken_in_but_named(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "b/1.jpg", "c/1.jpg")
    tmp_path.chmod(0o755)
    (tmp_path / "a" / ".darkroomignore").mkdir()
    (tmp_path / "b" / ".darkroomignore").write_text("!\n")
    passed_over = PassedOver()
    assert found(tmp_path, passed_over=passed_over) == ["c/1.jpg"]
    assert passed_over.unreadable == [
        f"{tmp_path / 'a'}: its .darkroomignore cannot be read: Is a directory",
        f"{tmp_path / 'b'}: its .darkroomignore has the line '!', which is no pattern as .gitignore has them",
    ]


def test_a_wrong_pattern_and_a_closed_ignore_file_of_the_root_are_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"ingest\.exclude has the line '!', which is no pattern as .gitignore has them"):
        exclusion_of(tmp_path, ["!"], tmp_path)
    (tmp_path / ".darkroomignore").mkdir()
    with pytest.raises(WrongUse, match=r"cannot be ingested: its \.darkroomignore cannot be read: Is a directory\.$"):
        exclusion_of(tmp_path, [], tmp_path)


def test_a_folder_that_nobody_may_enter_says_so_and_not_that_its_ignore_file_is_closed(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o600)
    os.chmod(tmp_path, 0o755)
    with without_rights():
        assert Exclusion(str(tmp_path)).below("closed") == Exclusion(str(closed))


def test_what_is_passed_over_is_counted_by_kind_and_told_in_one_sentence(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "b.svg", "c.SVG", "d.psd", "e", "f.mp4", "g.xmp", "h.doc", "i.txt", ".DS_Store")
    made(tmp_path, "._a.jpg", "@eaDir/a.jpg", "@eaDir/b.svg")
    (tmp_path / "album").symlink_to(tmp_path / "@eaDir")
    passed_over = PassedOver()
    assert found(tmp_path, passed_over=passed_over) == ["a.jpg"]
    assert passed_over.extensions == {".svg": 2, ".psd": 1, "": 1, ".mp4": 1, ".doc": 1, ".txt": 1}
    assert (passed_over.excluded_files, passed_over.excluded_folders, passed_over.linked_folders) == (1, 1, 1)
    (sentence,) = sentences(passed_over)
    assert sentence.startswith("Passed over: 7 files of other extensions (2 .svg, 1 ")
    assert sentence.endswith(" and 1 others), 1 excluded picture, 1 excluded folder, 1 linked folder.")
    assert list(sentences(PassedOver())) == []


def test_endless_kinds_of_names_take_no_endless_memory() -> None:
    passed_over = PassedOver()
    for number in range(2 * EXTENSIONS):
        passed_over.note_extension(f"name.{number}")
    passed_over.note_extension("name." + "x" * 200)
    passed_over.note_extension("name.\x1b[2J")
    assert len(passed_over.extensions) == EXTENSIONS + 1
    assert passed_over.extensions.total() == 2 * EXTENSIONS + 2
