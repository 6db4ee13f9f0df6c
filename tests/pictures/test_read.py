"""Files that cannot be read: each ends in its own sentence, and none of them stops the loader."""

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from pictures.picture import LoadError
from pictures.reading import read
from tests.pictures.made.pictures import encoded, quarters
from tests.rights import without_rights


def refusal(uri: str, max_bytes: int = 1_000_000) -> str:
    """The reason that reading a file ends with."""
    with pytest.raises(LoadError) as caught:
        read(uri, max_bytes)
    assert caught.value.stage == "read"
    return caught.value.reason


def test_a_sound_file_gives_its_bytes_its_hash_and_its_time(tmp_path: Path) -> None:
    file = tmp_path / "a picture #1?.jpg"
    file.write_bytes(encoded(quarters(), "JPEG"))
    content = read(file.as_uri(), 1_000_000)
    assert content.data == file.read_bytes()
    assert content.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert content.mtime == file.stat().st_mtime_ns


def test_an_empty_file_is_named_so(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").touch()
    assert refusal((tmp_path / "x.jpg").as_uri()) == "the file is empty"


def test_a_missing_file_is_gone(tmp_path: Path) -> None:
    assert refusal((tmp_path / "x.jpg").as_uri()) == "the file is gone"


def test_a_broken_link_is_gone(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").symlink_to(tmp_path / "nowhere.jpg")
    assert refusal((tmp_path / "x.jpg").as_uri()) == "the file is gone"


def test_a_link_to_itself_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").symlink_to("x.jpg")
    assert refusal((tmp_path / "x.jpg").as_uri()) == "the link leads back to itself"


def test_a_file_without_permission_says_so() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = Path(folder, "x.jpg")
        file.write_bytes(b"x")
        file.chmod(0)
        with without_rights():
            assert refusal(file.as_uri()) == "no permission to read it"


def test_a_directory_named_like_a_picture_is_called_a_directory(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").mkdir()
    assert refusal((tmp_path / "x.jpg").as_uri()) == "not a regular file but a directory"


def test_a_named_pipe_does_not_hold_the_loader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.jpg")
    assert refusal((tmp_path / "x.jpg").as_uri()) == "not a regular file but a named pipe"


def test_a_device_does_not_flow_for_ever(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").symlink_to("/dev/zero")
    assert refusal((tmp_path / "x.jpg").as_uri()) == "not a regular file but a device"


def test_a_socket_is_called_a_socket() -> None:
    # A socket's path must be short, so it does not lie in the long folder of the test.
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/x.jpg")
        assert refusal(Path(folder, "x.jpg").as_uri()) == "not a regular file but a socket"


def test_a_device_is_not_even_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x.jpg").symlink_to("/dev/null")
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened a device"))
    assert refusal((tmp_path / "x.jpg").as_uri()) == "not a regular file but a device"


def test_a_file_with_too_many_bytes_names_both_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(b"x" * 2001)
    reason = refusal((tmp_path / "x.jpg").as_uri(), max_bytes=2000)
    assert reason == "2,001 bytes are more than ingest.max_bytes = 2,000"


def test_a_name_that_is_not_utf_8_is_read_all_the_same(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9 \xff.jpg"
    with open(path, "wb") as stream:
        stream.write(b"bytes")
    assert read(Path(os.fsdecode(path)).as_uri(), 100).data == b"bytes"


@pytest.mark.parametrize("uri", ["s3://bucket/x.jpg", "http://example.org/x.jpg", "file://elsewhere/x.jpg", "x.jpg"])
def test_an_address_that_is_no_local_file_is_refused(uri: str) -> None:
    assert "reads file:// only" in refusal(uri)


def test_a_name_with_a_zero_byte_is_refused_in_words() -> None:
    assert refusal("file:///tmp/a%00b.jpg") == "no file can have this name: it holds a zero byte"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda file: file.write_bytes(b"x" * 150), id="grown"),
        pytest.param(lambda file: file.write_bytes(b"x" * 50), id="cut"),
        pytest.param(lambda file: file.write_bytes(b""), id="emptied"),
        pytest.param(lambda file: os.utime(file, ns=(1, 1)), id="written over"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    file = tmp_path / "x.jpg"
    file.write_bytes(b"o" * 100)
    look, looks = os.fstat, []

    def look_then_change(descriptor: int) -> os.stat_result:
        facts = look(descriptor)
        looks.append(descriptor)
        # The loader looks before and after it reads: the change falls between.
        if len(looks) == 1:
            change(file)
        return facts

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", look_then_change)
        reason = refusal(file.as_uri())
    assert reason == "the file changed while it was read; ingest it again when it is at rest"
