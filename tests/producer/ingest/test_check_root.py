"""The folder that a person names: an absolute path, or one sentence about what is wrong with it."""

from pathlib import Path

import pytest

from producer.ingest.scan import check_root
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
