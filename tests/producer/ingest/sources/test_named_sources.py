"""Several names of folders, pictures, archives and patterns as the sources of one job."""

import zipfile
from pathlib import Path

import pytest

from producer.ingest.sources.named_sources import lasting_name, sources_of
from producer.ingest.sources.roots import Source
from settings import load_settings
from settings.errors import WrongUse
from tests.producer.folders import made


def found(*names: str | Path) -> list[tuple[str, list[str]]]:
    """Root and files of each source, the files from the root on."""
    return [(str(source.root), files_of(source)) for source in sources_of(list(map(str, names)), load_settings())]


def files_of(source: Source) -> list[str]:
    uris = [file.uri for file in source.files()]
    assert source.count is None or source.count() == len(uris)
    return [uri.removeprefix(f"file://{source.root}/") for uri in uris]


def test_folders_and_pictures_and_archives_are_sources_in_their_order(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "a/b/2.jpg", "c/3.png", "c/4.png", "c/5.png")
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("6.jpg", b"1")
    zipped = f"zip://6.jpg::{(tmp_path / 'd.zip').as_uri()}"
    assert found(tmp_path / "c/3.png", tmp_path / "c/5.png", tmp_path / "a", tmp_path / "d.zip") == [
        (str(tmp_path / "c"), ["3.png", "5.png"]),
        (str(tmp_path / "a"), ["1.jpg", "b/2.jpg"]),
        (str(tmp_path / "d.zip"), [zipped]),
    ]


def test_no_file_is_in_two_sources(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "a/b/2.jpg", "a/.hidden/3.jpg")
    a, b, hidden = tmp_path / "a", tmp_path / "a/b", tmp_path / "a/.hidden"
    assert found(a, a, b, a / "1.jpg") == [(str(a), ["1.jpg", "b/2.jpg"])]
    assert found(b, a / "1.jpg", a) == [(str(b), ["2.jpg"]), (str(a), ["1.jpg"])]
    assert found(a / "1.jpg", a / "1.jpg") == [(str(a), ["1.jpg"])]
    # What is left out of a folder is taken in where it is named itself.
    assert found(a, hidden) == [(str(a), ["1.jpg", "b/2.jpg"]), (str(hidden), ["3.jpg"])]
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("6.jpg", b"1")
    assert len(found(tmp_path / "d.zip", tmp_path / "d.zip")) == 1


def test_a_pattern_names_what_it_fits_and_a_name_with_its_signs_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "1.jpg", "2.jpg", "3.txt", "deep/er/4.jpg", "[a].jpg")
    monkeypatch.chdir(tmp_path)
    assert found("?.*") == [(str(tmp_path), ["1.jpg", "2.jpg"])]
    assert found("**/*.jpg") == [
        (str(tmp_path), ["1.jpg", "2.jpg", "%5Ba%5D.jpg"]),
        (str(tmp_path / "deep/er"), ["4.jpg"]),
    ]
    assert found("[a].jpg") == [(str(tmp_path), ["%5Ba%5D.jpg"])]
    assert lasting_name("*.jpg") == str(tmp_path / "*.jpg")
    assert lasting_name("s3://bucket/a") == "s3://bucket/a"
    with pytest.raises(WrongUse, match=r"^There is nothing that the pattern \*\.png fits\.$"):
        found("*.png")


def test_sources_without_a_picture_are_left_out_unless_they_are_all(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "empty/x.txt", "y.txt")
    assert found(tmp_path / "empty", tmp_path / "a", tmp_path / "y.txt") == [(str(tmp_path / "a"), ["1.jpg"])]
    with pytest.raises(WrongUse, match=f"^There is no picture in {tmp_path}/empty, {tmp_path}/y.txt: looked for"):
        found(tmp_path / "empty", tmp_path / "y.txt")
    with pytest.raises(WrongUse, match=rf"^There is no folder {tmp_path}/nowhere\.$"):
        found(tmp_path / "a", tmp_path / "nowhere")
    with pytest.raises(WrongUse, match=r"^Say what to ingest"):
        found()


def test_the_files_that_are_passed_over_are_counted_once_for_all_sources(tmp_path: Path) -> None:
    made(tmp_path, "a/1.jpg", "a/x.txt", "b/2.jpg", "b/y.txt", "z.txt")
    sources = sources_of([str(tmp_path / name) for name in ("a", "b", "z.txt")], load_settings())
    assert [len(list(source.files())) for source in sources] == [1, 1]
    assert {source.passed_over.extensions[".txt"] for source in sources} == {3}
