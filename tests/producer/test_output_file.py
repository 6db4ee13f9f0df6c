"""A file is checked before any work is done for it, and is there whole or not at all."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from producer.cli import cli
from producer.output_file import FileKind, begins_with, check_output, replacing
from settings.errors import WrongUse
from tests.rights import without_rights

TABLE = FileKind((".csv",), begins_with(b"old"))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that everybody can reach."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)
        yield Path(name)


@pytest.mark.parametrize("name", ["a.csv", "a" * 251 + ".csv"])
def test_the_file_takes_its_place_once_it_is_whole(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_text("old")
    with replacing(target, TABLE) as path:
        path.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), WrongUse("No picture matches."), ValueError("a bug")])
def test_after_an_error_the_old_file_is_as_it_was(tmp_path: Path, error: BaseException) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def interrupted() -> None:
        with replacing(target, TABLE) as path:
            path.write_text("half")
            raise error

    with pytest.raises(type(error)):
        interrupted()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_disk_that_fills_up_is_one_sentence_and_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.write_text("old")

    def on_a_full_disk() -> None:
        with replacing(target, TABLE):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(WrongUse, match=r"a\.csv cannot be written: No space left on device\.$"):
        on_a_full_disk()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_stays_and_the_file_behind_it_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    file, link = tmp_path / "elsewhere" / "a.csv", tmp_path / "link.csv"
    link.symlink_to(file)
    for text in ("older", "oldest"):
        with replacing(link, TABLE) as path:
            path.write_text(text)
        assert (link.is_symlink(), file.read_text()) == (True, text)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "elsewhere", file, link]


def test_a_private_file_stays_private(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"
    target.touch(mode=0o600)
    with replacing(target, TABLE) as path:
        path.write_text("secret")
        assert path.stat().st_mode & 0o777 == 0o600
    assert target.stat().st_mode & 0o777 == 0o600


def test_the_checked_path_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert check_output(Path("a.csv"), TABLE) == check_output(Path("~/a.csv"), TABLE) == tmp_path / "a.csv"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("folder.csv", "is a folder: name a file in it."),
        ("nowhere/a.csv", "cannot be written: there is no folder "),
        ("broken link.csv", "cannot be written: there is no folder "),
        ("~nobody-of-this-name/a.csv", "cannot be written: there is no folder "),
        ("pipe.csv", "is a device or a pipe: name a file."),
        ("a.jpg", r"is no name for such a file: name one that ends in \.csv\."),
        ("csv", r"is no name for such a file: name one that ends in \.csv\."),
    ],
)
def test_a_place_where_no_file_can_be_is_refused_before_any_work(tmp_path: Path, name: str, reason: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "broken link.csv").symlink_to(tmp_path / "nowhere" / "a.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(WrongUse, match=reason):
        check_output(tmp_path / name, TABLE)
    with pytest.raises(WrongUse, match=reason), replacing(tmp_path / name, TABLE):
        pass
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments",
    [["export"], ["map"], ["report", "any-job", "--csv"], ["search", "a dog", "--html"]],
    ids=lambda arguments: arguments[0],
)
def test_a_command_checks_its_file_before_it_starts_anything(tmp_path: Path, arguments: list[str]) -> None:
    name = "a.html" if arguments[-1] in ("map", "--html") else "a.csv"
    done = CliRunner().invoke(cli, [*arguments, str(tmp_path / "nowhere" / name)])
    assert isinstance(done.exception, WrongUse)
    assert f"{name} cannot be written: there is no folder" in str(done.exception)


@pytest.mark.parametrize("closed", ["", "a.csv"])
def test_a_folder_or_a_file_without_permission_is_refused_before_any_work(open_folder: Path, closed: str) -> None:
    target = open_folder / "a.csv"
    target.touch(mode=0o666)
    os.chmod(open_folder / closed, 0o555)
    with without_rights(), pytest.raises(WrongUse, match="cannot be written: you have no permission"):
        check_output(target, TABLE)


def test_a_file_that_another_program_has_written_is_never_replaced(tmp_path: Path) -> None:
    photograph = tmp_path / "DSC0001.csv"
    photograph.write_bytes(b"\xff\xd8\xff\xe0")
    (tmp_path / "link.csv").symlink_to(photograph)
    for target in (photograph, tmp_path / "link.csv"):
        sentence = f"{target} exists and Darkroom has not written it: name another file, or move that one away."
        with pytest.raises(WrongUse, match=f"^{sentence}$"):
            check_output(target, TABLE)
        with pytest.raises(WrongUse, match=f"^{sentence}$"), replacing(target, TABLE):
            pytest.fail("there is nothing to write to")
    assert photograph.read_bytes() == b"\xff\xd8\xff\xe0"


def test_a_file_that_comes_while_ours_is_written_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.csv"

    def overtaken() -> None:
        with replacing(target, TABLE) as path:
            path.write_text("ours")
            target.write_text("theirs")

    with pytest.raises(WrongUse, match="Darkroom has not written it"):
        overtaken()
    assert target.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "arguments",
    [["map"], ["report", "any-job", "--csv"], ["search", "red", "--html"], ["duplicates", "--html"], ["export"]],
    ids=" ".join,
)
def test_no_command_writes_over_a_photograph(tmp_path: Path, arguments: list[str]) -> None:
    for name in ("IMG_0072.jpg", "IMG_0072.jpg.html", "IMG_0072.csv"):
        photograph = tmp_path / name
        photograph.write_bytes(b"\xff\xd8\xff\xe0 a photograph")
        done = CliRunner().invoke(cli, [*arguments, str(photograph)])
        assert isinstance(done.exception, WrongUse)
        assert photograph.read_bytes() == b"\xff\xd8\xff\xe0 a photograph"
