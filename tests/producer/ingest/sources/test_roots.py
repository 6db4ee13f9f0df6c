"""What `ingest` may be told to ingest, and what it says to anything else."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from producer.ingest.sources.exclusion import PassedOver
from producer.ingest.sources.roots import find_root, root_uri
from settings import Settings, load_settings
from settings.errors import ServiceMissing, WrongUse
from tests.object_store import web_server


def settings(*allowed: str, broker: str = "embedded") -> Settings:
    own = load_settings()
    return own.model_copy(
        update={
            "paths": own.paths.model_copy(update={"allowed": list(allowed)}),
            "broker": own.broker.model_copy(update={"url": broker}),
        }
    )


def refusal(named: str, *allowed: str) -> str:
    def look() -> None:
        next(find_root(named, settings(*allowed))[1](PassedOver()))

    with pytest.raises(WrongUse) as caught:
        look()
    assert "pa55" not in str(caught.value)
    return str(caught.value)


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    root, files = find_root(str(tmp_path), settings())
    assert root == tmp_path
    assert [file.uri for file in files(PassedOver())] == [(tmp_path / "a.jpg").as_uri()]
    (tmp_path / "folder.zip").mkdir()
    assert find_root(str(tmp_path / "folder.zip"), settings())[0] == tmp_path / "folder.zip"


def test_a_zip_file_is_scanned_like_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "my pictures.ZIP", "w") as archive:
        archive.writestr("b/ä.jpg", b"12345")
        archive.writestr("a.png", b"1")
        archive.writestr("notes.txt", b"")
        archive.writestr("b/", b"")
    root, files = find_root(str(tmp_path / "my pictures.ZIP"), settings())
    outer = (tmp_path / "my pictures.ZIP").as_uri()
    assert str(root) == str(tmp_path / "my pictures.ZIP")
    assert root_uri(root) == f"zip://::{outer}"
    found = list(files(PassedOver()))
    assert [(file.uri, file.bytes) for file in found] == [
        (f"zip://a.png::{outer}", 1),
        (f"zip://b/%C3%A4.jpg::{outer}", 5),
    ]
    assert list(files(PassedOver())) == found


def test_a_file_that_is_no_archive_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no archive")
    assert refusal(str(tmp_path / "text.zip")).endswith("text.zip is no zip archive that can be read here.")
    assert refusal(str(tmp_path / "none.zip")) == f"There is no folder {tmp_path / 'none.zip'}."


def test_what_the_local_workers_may_not_read_is_refused_with_what_to_set(tmp_path: Path) -> None:
    outside = "it is not below the allowed roots (paths.allowed)"
    example = "To allow it: DARKROOM__PATHS__ALLOWED='[\"s3://bucket/x\"]'."
    assert refusal("s3://bucket/x") == f"s3://bucket/x may not be read: {outside}. {example}"
    assert refusal(str(tmp_path), "/photos").startswith(f"{tmp_path} may not be read: {outside}")
    # The workers of a cluster have allowed roots of their own.
    assert str(find_root("s3://bucket/x", settings(broker="redis://h"))[0]) == "s3://bucket/x"


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("ftp://host/x", "ftp:// cannot be used: name a folder, a .zip file or one of s3, gs, http, https://."),
        ("s3://key:pa55@bucket/x", "it holds a login: leave that to the environment"),
        ("https://host/a.jpg?token=pa55", "it holds a query"),
        ("zip://a.jpg::file:///x.zip", "zip:// cannot be used"),
    ],
)
def test_an_address_that_is_none_is_one_sentence_without_its_secrets(named: str, words: str) -> None:
    assert words in refusal(named)


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A web server with a picture and a text."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "a b.jpg").write_bytes(b"12345")
    with web_server(tmp_path) as address:
        yield address


def test_a_web_server_gives_one_picture_by_its_address(web: str) -> None:
    root, files = find_root(f"{web}/a b.jpg", settings(web))
    (file,) = files(PassedOver())
    assert (file.uri, file.bytes) == (f"{web}/a%20b.jpg", 5)
    assert file.mtime > 0
    assert root_uri(root) == file.uri


def test_a_web_server_has_no_folders_and_says_what_is_not_there(web: str) -> None:
    assert "a web server has no list of its files, so name one picture" in refusal(f"{web}/folder", web)
    assert refusal(f"{web}/none.jpg", web) == f"There is no {web}/none.jpg."
    assert refusal(f"{web}/none.zip", web) == f"There is no {web}/none.zip."
    assert refusal(f"{web}/closed/a.jpg", web).endswith("the environment has no credentials for it.")
    moved = refusal(f"{web}/moved/a%20b.jpg", f"{web}/moved")
    assert moved.endswith("sends on to an address that is not in paths.allowed: name that one.")


def test_one_answer_of_a_busy_server_does_not_end_a_listing(
    web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pictures.remote.PAUSE_SECONDS", 0.01)
    (tmp_path / "text.zip").write_text("no archive")
    (file,) = find_root(f"{web}/busy/3/a b.jpg", settings(web))[1](PassedOver())
    assert (file.uri, file.bytes) == (f"{web}/busy/3/a%20b.jpg", 5)
    assert refusal(f"{web}/busy/3/text.zip", web).endswith("is no zip archive that can be read here.")
    with pytest.raises(ServiceMissing, match=r"^http://127.0.0.1:\d+/busy/100/a%20b.jpg does not answer \(\w+\)\.$"):
        list(find_root(f"{web}/busy/100/a b.jpg", settings(web))[1](PassedOver()))
