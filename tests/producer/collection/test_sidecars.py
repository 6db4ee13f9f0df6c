"""A sidecar is written whole, where nobody else writes it, and nothing else is touched."""

import os
from pathlib import Path

import pytest

from producer.collection.sidecars import LeftOut, write_sidecar


def test_a_new_sidecar_is_written_also_on_a_disk_that_knows_no_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as on exFAT

    monkeypatch.setattr(os, "link", refuse)
    before = os.umask(0o027)
    try:
        write_sidecar(bytes(tmp_path / "a.jpg.xmp"), None, b"new")
    finally:
        os.umask(before)
    (written,) = tmp_path.iterdir()
    assert (written.name, written.read_bytes(), written.stat().st_mode & 0o777) == ("a.jpg.xmp", b"new", 0o640)


def test_where_a_sidecar_is_a_link_the_file_behind_it_is_written_and_the_link_stays(tmp_path: Path) -> None:
    kept, link = tmp_path / "kept" / "a.xmp", tmp_path / "a.jpg.xmp"
    kept.parent.mkdir()
    kept.write_bytes(b"old")
    link.symlink_to(kept)
    write_sidecar(bytes(link), b"old", b"new")
    assert (link.is_symlink(), kept.read_bytes()) == (True, b"new")
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.parametrize("before", [None, b"old"], ids=["new", "added to"])
def test_what_another_program_has_written_meanwhile_stays(tmp_path: Path, before: bytes | None) -> None:
    file = tmp_path / "a.jpg.xmp"
    file.write_bytes(b"theirs")
    with pytest.raises(LeftOut, match="was written by another program just now"):
        write_sidecar(bytes(file), before, b"ours")
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("a.jpg.xmp", b"theirs")]


def test_a_new_sidecar_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_sidecar(bytes(tmp_path / "a.jpg.xmp"), None, b"new")
    assert list(tmp_path.iterdir()) == []
