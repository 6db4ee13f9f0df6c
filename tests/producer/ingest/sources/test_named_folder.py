"""The folder that a person names: an absolute path, or one sentence about what is wrong with it."""

import os
from pathlib import Path

import pytest

from producer.ingest.sources.named_folder import absolute, as_listed, check_root
from settings.errors import WrongUse
from tests.producer.folders import closed_folder, made
from tests.rights import without_rights


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere", "There is no folder {root}/nowhere."),
        ("a.jpg", "{root}/a.jpg is a file: name the folder it is in."),
        ("a.jpg/b", "{root}/a.jpg/b"),
        ("loop", "The folder {root}/loop cannot be read: Too many levels of symbolic links."),
        ("x" * 300, "cannot be read: File name too long."),
    ],
)
def test_what_is_no_folder_is_refused_in_one_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    made(tmp_path, "a.jpg")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WrongUse) as caught:
        check_root(tmp_path / name)
    assert sentence.format(root=tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", ["~nobody-of-this-name/pictures", "a\0b"])
def test_a_name_that_no_folder_can_have_is_refused_in_one_sentence(name: str) -> None:
    with pytest.raises(WrongUse, match="names no folder"):
        check_root(Path(name))


@pytest.mark.parametrize("name", ["closed", "closed/deeper"])
def test_a_folder_without_permission_is_refused_in_one_sentence(name: str) -> None:
    refused = pytest.raises(WrongUse, match="cannot be read: you have no permission")
    with closed_folder() as folder, without_rights(), refused:
        check_root(folder / name)


def test_a_relative_folder_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path, "a/1.jpg")
    monkeypatch.chdir(tmp_path)
    assert check_root(Path("a/../a")) == tmp_path / "a"


def test_any_number_of_slashes_at_the_beginning_is_one_root(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg")
    for slashes in ("", "/", "//"):
        assert check_root(Path(f"{slashes}{tmp_path}//a/")) == tmp_path / "a"
    # Also one that is not there, whose points are to be removed.
    assert absolute(Path(f"//{tmp_path}/gone")) == tmp_path / "gone"


def test_a_link_keeps_its_name_and_names_that_differ_are_two_folders(tmp_path: Path) -> None:
    made(tmp_path, "Pictures/1.jpg", "pictures/1.jpg")
    (tmp_path / "LINK").symlink_to("pictures")
    (tmp_path / "link").symlink_to("pictures")
    for name in ("Pictures", "pictures", "LINK", "link", "link/../pictures"):
        assert check_root(tmp_path / name) == Path(os.path.abspath(tmp_path / name))


# A disk that takes names of other case, and accents in another form, for the same; as no disk of ours is one, made up.
DISK = {"/": ["Volumes", "home"], "/Volumes": ["Fotos", "closed"], "/Volumes/Fotos": ["2024 \u00c9te\u0301", "link"]}


def same_on_disk(one: str, other: str) -> bool:
    if one.startswith("/home"):
        raise FileNotFoundError(other)
    return one.casefold() == other.casefold()


def names_on_disk(folder: str) -> list[str]:
    if folder not in DISK:
        raise PermissionError(folder)
    return DISK[folder]


@pytest.mark.parametrize(
    ("named", "listed"),
    [
        ("/Volumes/Fotos", "/Volumes/Fotos"),
        ("/volumes/FOTOS/LINK", "/Volumes/Fotos/link"),
        ("/VOLUMES/fotos/2024 \u00e9t\u00e9", "/Volumes/Fotos/2024 \u00c9te\u0301"),
        ("/volumes/CLOSED/Inside", "/Volumes/closed/Inside"),
        ("/volumes/fotos/new", "/Volumes/Fotos/new"),
        ("/home/Me/pictures", "/home/Me/pictures"),
        ("/", "/"),
    ],
)
def test_a_disk_that_ignores_case_says_how_its_names_are_spelled(named: str, listed: str) -> None:
    assert as_listed(named, same_on_disk, names_on_disk) == listed
