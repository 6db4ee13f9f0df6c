"""From an address to bytes: the path map, allowed roots, archives and web servers."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pictures.picture import FileGone, LoadError, NotReachable
from pictures.reading import Sources
from pictures.uris import member
from settings import Settings, load_settings
from tests.object_store import web_server


def with_paths(**paths: object) -> Settings:
    own = load_settings()
    changed = own.paths.model_copy(update=paths)
    ingest = own.ingest.model_copy(update={"max_bytes": 1000})
    return own.model_copy(update={"paths": changed, "ingest": ingest})


def refusal(sources: Sources, uri: str, root: str = "file:///") -> str:
    with pytest.raises(LoadError) as caught:
        sources.read(uri, root)
    assert caught.value.stage == "read"
    return caught.value.reason


def test_a_file_is_read_where_this_machine_has_it(tmp_path: Path) -> None:
    (tmp_path / "a b.jpg").write_bytes(b"picture")
    content = Sources(with_paths(map={"/photos": str(tmp_path)})).read("file:///photos/a%20b.jpg", "file:///photos")
    assert content.data == b"picture"
    assert content.mtime == (tmp_path / "a b.jpg").stat().st_mtime_ns


def test_a_root_that_is_not_mounted_here_may_be_reached_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    sources = Sources(with_paths(map={"/photos": str(tmp_path / "none"), "/more": str(tmp_path / "empty")}))
    for root, what in (
        ("/photos", "none is not there"),
        ("/more", "empty is an empty folder"),
        ("/nowhere", "not there"),
    ):
        with pytest.raises(NotReachable) as caught:
            sources.read(f"file://{root}/2024/a.jpg", f"file://{root}")
        assert what in caught.value.reason


def test_a_file_that_is_missing_below_a_root_with_content_is_gone(tmp_path: Path) -> None:
    (tmp_path / "b.jpg").touch()
    for name in ("a.jpg", "gone/a.jpg"):
        with pytest.raises(FileGone):
            Sources(with_paths()).read((tmp_path / name).as_uri(), tmp_path.as_uri())


def test_a_message_that_asks_for_a_file_outside_the_allowed_roots_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out.jpg").write_bytes(b"x")
    (tmp_path / "in" / "link.jpg").symlink_to(tmp_path / "out.jpg")
    sources = Sources(with_paths(allowed=[str(tmp_path / "in")]))
    outside = "it is not below the allowed roots (paths.allowed)"
    for path in ("out.jpg", "in/link.jpg", "in/../out.jpg", "in/%2e%2e/out.jpg"):
        assert refusal(sources, f"file://{tmp_path}/{path}") == outside
    assert refusal(sources, member("file:///etc/pictures.zip", "a.jpg")) == outside
    assert refusal(sources, "s3://bucket/a.jpg") == outside
    assert refusal(sources, "http://127.0.0.1:9/a.jpg") == outside


@pytest.mark.parametrize(
    "uri", ["ssh://host/a.jpg", "filecache://x", "zip://a.jpg", "zip://a::ssh://host/b.zip", "a.jpg"]
)
def test_an_address_of_any_other_kind_is_refused(uri: str) -> None:
    assert "reads file:// only" in (reason := refusal(Sources(with_paths()), uri)) or "::file:///" in reason


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive with a small picture, a large one and an empty one."""
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        whole.writestr("in ner/ä.jpg", b"picture")
        whole.writestr("bomb.jpg", b"\0" * 1001)
        whole.writestr("empty.jpg", b"")
    return path


def test_a_member_of_an_archive_is_read_like_a_file(archive: Path) -> None:
    sources = Sources(with_paths())
    content = sources.read(member(archive.as_uri(), "in ner/ä.jpg"), member(archive.as_uri(), ""))
    assert (content.data, content.sha256) == (b"picture", hashlib.sha256(b"picture").hexdigest())
    # It is announced as larger than the limit, so not a byte of it is unpacked.
    assert (
        refusal(sources, member(archive.as_uri(), "bomb.jpg")) == "1,001 bytes are more than ingest.max_bytes = 1,000"
    )
    assert refusal(sources, member(archive.as_uri(), "empty.jpg")) == "the file is empty"
    assert refusal(sources, member(archive.as_uri(), "x.jpg")) == "the file is gone from the archive"


def test_an_archive_that_was_replaced_is_opened_anew(archive: Path) -> None:
    sources = Sources(with_paths())
    uri = member(archive.as_uri(), "in ner/ä.jpg")
    assert sources.read(uri, "").data == b"picture"
    with zipfile.ZipFile(archive, "w") as whole:
        whole.writestr("in ner/ä.jpg", b"another picture")
    assert sources.read(uri, "").data == b"another picture"


def test_many_archives_can_be_read_in_turn(tmp_path: Path) -> None:
    sources = Sources(with_paths())
    for number in range(12):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as whole:
            whole.writestr("a.jpg", str(number).encode())
    for number in [*range(12), *range(12)]:
        uri = member((tmp_path / f"{number}.zip").as_uri(), "a.jpg")
        assert sources.read(uri, "").data == str(number).encode()
    links = [Path("/proc/self/fd", number) for number in os.listdir("/proc/self/fd")]
    opened = [os.readlink(link) for link in links if link.is_symlink()]
    assert sum(name.startswith(str(tmp_path)) for name in opened) <= 4


def test_a_damaged_archive_fails_in_words(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    place = data.index(b"\xa4.jpg") + 6
    data[place : place + 4] = b"\xff\xff\xff\xff"
    archive.write_bytes(data)
    uri = member(archive.as_uri(), "in ner/ä.jpg")
    assert refusal(Sources(with_paths()), uri) == "the archive is damaged in this place"
    (tmp_path / "text.zip").write_text("no archive")
    uri = member((tmp_path / "text.zip").as_uri(), "a.jpg")
    assert refusal(Sources(with_paths()), uri) == "the archive is damaged or no zip file"
    assert refusal(Sources(with_paths()), member(tmp_path.as_uri(), "a.jpg")) == "not a regular file but a directory"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path) -> Iterator[str]:
    """The address of a web server that has an archive and some files."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "a b.jpg").write_bytes(b"picture")
    (tmp_path / "large.jpg").write_bytes(b"x" * 1001)
    with web_server(tmp_path) as address:
        yield address


def test_a_picture_on_a_web_server_is_read_within_the_same_bounds(web: str) -> None:
    sources = Sources(with_paths(allowed=[web]))
    content = sources.read(f"{web}/a%20b.jpg", web)
    assert content.data == b"picture"
    assert content.mtime > 0
    assert refusal(sources, f"{web}/large.jpg") == "1,001 bytes are more than ingest.max_bytes = 1,000"
    assert refusal(sources, f"{web}/none.jpg") == "the file is gone"
    assert "gives no permission to read it" in refusal(sources, f"{web}/closed/a.jpg")


def test_a_web_server_cannot_send_a_worker_to_another_place(web: str) -> None:
    assert Sources(with_paths(allowed=[web])).read(f"{web}/moved/a%20b.jpg", web).data == b"picture"
    reason = refusal(Sources(with_paths(allowed=[f"{web}/moved"])), f"{web}/moved/a%20b.jpg")
    assert reason.endswith("sends on to an address that is not among the allowed roots (paths.allowed)")


def test_a_web_server_that_is_away_may_be_reached_from_elsewhere() -> None:
    with pytest.raises(NotReachable, match=r"http://127\.0\.0\.1:9 does not answer"):
        Sources(with_paths(allowed=["http://127.0.0.1:9"])).read("http://127.0.0.1:9/a.jpg", "http://127.0.0.1:9")


def test_a_web_server_that_is_busy_is_asked_again(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pictures.remote.PAUSE_SECONDS", 0.01)
    sources = Sources(with_paths(allowed=[web]))
    assert sources.read(f"{web}/busy/3/a%20b.jpg", web).data == sources.read(f"{web}/a%20b.jpg", web).data
    with pytest.raises(NotReachable, match="does not answer"):
        sources.read(f"{web}/busy/100/a%20b.jpg", web)
