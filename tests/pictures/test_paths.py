"""The path map and the allowed roots: where a file lies on this machine, and whether it may be read."""

from pathlib import Path

import pytest

from pictures.paths import NotAllowed, Paths


def test_the_longest_folder_in_the_map_wins_and_only_whole_parts_count() -> None:
    paths = Paths({"/photos": "/mnt/nas", "/photos/raw/": "/mnt/fast", "/": "/everything"}, [])
    assert paths.here(b"/photos/a.jpg") == b"/mnt/nas/a.jpg"
    assert paths.here(b"/photos/raw/b/\xff.jpg") == b"/mnt/fast/b/\xff.jpg"
    assert paths.here(b"/photos") == b"/mnt/nas"
    assert paths.here(b"/photos2/a.jpg") == b"/everything/photos2/a.jpg"


def test_what_the_map_does_not_name_stays_where_it_is() -> None:
    assert Paths({"/photos": "/mnt"}, []).here(b"/pictures/a.jpg") == b"/pictures/a.jpg"
    assert Paths({}, []).here(b"/photos/a.jpg") == b"/photos/a.jpg"


def test_without_allowed_roots_every_local_file_may_be_read_and_nothing_elsewhere() -> None:
    paths = Paths({}, [])
    assert paths.allowed(b"/etc/hostname") == b"/etc/hostname"
    for uri in ("s3://bucket/a.jpg", "http://169.254.169.254/latest/meta-data"):
        with pytest.raises(NotAllowed, match=r"not below the allowed roots \(paths\.allowed\)"):
            paths.allowed_place(uri)


def test_neither_dots_nor_links_lead_out_of_an_allowed_root(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(b"x")
    (inside / "link.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    (inside / "own.jpg").symlink_to(inside / "real.jpg")
    paths = Paths({}, [str(inside)])
    for name in ("link.jpg", "folder/secret.jpg", "../outside/secret.jpg", "../inside2/a.jpg"):
        with pytest.raises(NotAllowed):
            paths.allowed(bytes(inside / name))
    assert paths.allowed(bytes(inside / "own.jpg")) == bytes(inside / "real.jpg")


def test_an_allowed_root_is_named_as_in_messages_and_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "mounted").symlink_to(tmp_path / "disk")
    paths = Paths({"/photos": str(tmp_path / "mounted")}, ["/photos"])
    assert paths.allowed(paths.here(b"/photos/a.jpg")) == bytes(tmp_path / "disk" / "a.jpg")
    with pytest.raises(NotAllowed):
        paths.allowed(paths.here(b"/photos2/a.jpg"))


def test_a_limited_worker_reads_elsewhere_only_what_is_named() -> None:
    paths = Paths({}, ["/photos", "s3://bucket/pictures"])
    assert paths.allowed_place("s3://bucket/pictures/a.jpg").path == "pictures/a.jpg"
    for uri in ("s3://bucket/other/a.jpg", "s3://bucket/pictures/../other/a.jpg", "gs://bucket/pictures/a.jpg"):
        with pytest.raises(NotAllowed):
            paths.allowed_place(uri)
