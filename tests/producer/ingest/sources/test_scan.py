"""The walk over a folder: every picture once, in a fixed order, whatever lies in the way."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest

from producer.formatting import shown
from producer.ingest.sources.exclusion import Exclusion, PassedOver
from producer.ingest.sources.scan import FileRef, file_ref, scan
from tests.conftest import ROOT
from tests.memory_folder import memory_folder
from tests.producer.folders import closed_folder, made
from tests.rights import without_rights


def scanned(root: Path, passed_over: PassedOver | None = None) -> Iterator[FileRef]:
    """What a scan finds under the rules that hold for everybody."""
    return scan(root, Exclusion(str(root)), passed_over or PassedOver())


def names(root: Path, passed_over: PassedOver | None = None) -> list[str]:
    """The same as paths below the folder."""
    return [os.path.relpath(shown(found.uri), root) for found in scanned(root, passed_over)]


def test_the_order_is_that_of_the_names_and_files_come_before_folders(tmp_path: Path) -> None:
    made(tmp_path, "b/2.jpg", "b/10.jpg", "a/z/1.jpg", "a/1.jpg", "c.jpg", "B.jpg", "ä.jpg", "a.jpg")
    wanted = ["B.jpg", "a.jpg", "c.jpg", "ä.jpg", "a/1.jpg", "a/z/1.jpg", "b/10.jpg", "b/2.jpg"]
    assert names(tmp_path) == wanted
    assert names(tmp_path) == wanted


def test_extensions_count_in_any_case_and_other_files_are_passed_over(tmp_path: Path) -> None:
    made(
        tmp_path,
        "a.JPG",
        "b.Jpeg",
        "c.WebP",
        "d.HEIC",
        "e.txt",
        "f",
        ".jpg",
        "g.jpg.part",
        "h.tIfF",
        "jpg",
        "i.JP\u0130G",
    )
    assert names(tmp_path) == ["a.JPG", "b.Jpeg", "c.WebP", "d.HEIC", "h.tIfF"]


def test_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"12345")
    facts = (tmp_path / "a.jpg").stat()
    assert list(scanned(tmp_path)) == [FileRef((tmp_path / "a.jpg").as_uri(), 5, facts.st_mtime_ns)]


def test_a_sidecar_is_told_with_its_picture_and_is_no_file_that_was_passed_over(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.xmp", "b.jpg", "b.jpg.XMP", "c.jpg", "of-none.xmp"):
        (tmp_path / name).write_bytes(name.encode())
    versions = {
        name: ((facts := (tmp_path / name).stat()).st_size, facts.st_mtime_ns) for name in ("a.xmp", "b.jpg.XMP")
    }
    passed_over = PassedOver()
    found = list(scanned(tmp_path, passed_over))
    assert [file.sidecar for file in found] == [versions["a.xmp"], versions["b.jpg.XMP"], None]
    assert not passed_over.extensions
    assert file_ref(bytes(tmp_path / "a.jpg")) == found[0]


def test_a_link_to_a_file_keeps_its_own_name_and_has_the_size_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"123")
    made(tmp_path / "root")
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "link.jpg").symlink_to(tmp_path / "elsewhere")
    (found,) = scanned(tmp_path / "root")
    assert (found.uri, found.bytes) == ((tmp_path / "root" / "link.jpg").as_uri(), 3)


def test_links_to_folders_cannot_hold_the_walk(tmp_path: Path) -> None:
    made(tmp_path, "a/b/1.jpg")
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "b" / "up.jpg").symlink_to(tmp_path, target_is_directory=True)
    assert names(tmp_path) == ["a/b/1.jpg"]


def test_what_cannot_be_looked_at_is_yielded_for_the_loader_to_name(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").symlink_to("nowhere")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert [(Path(shown(found.uri)).name, found.bytes) for found in scanned(tmp_path)] == [
        ("broken.jpg", -1),
        ("loop.jpg", -1),
        ("pipe.jpg", 0),
    ]


def test_a_folder_named_like_a_picture_is_walked_into(tmp_path: Path) -> None:
    assert names(made(tmp_path, "album.jpg/1.png")) == ["album.jpg/1.png"]


def test_names_that_are_not_utf_8_come_through_byte_for_byte(tmp_path: Path) -> None:
    wanted = [b"caf\xe9 #1?.jpg", b"line\nbreak.jpg", b"\xff\xfe/%41;.jpg"]
    for name in wanted:
        path = os.path.join(os.fsencode(tmp_path), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb"):
            pass
    found = [unquote_to_bytes(urlsplit(ref.uri).path) for ref in scanned(tmp_path)]
    assert found == [os.path.join(os.fsencode(tmp_path), name) for name in wanted]
    assert all(ref.uri.isascii() for ref in scanned(tmp_path))


def test_a_folder_that_cannot_be_read_is_noted_and_passed_over() -> None:
    passed_over = PassedOver()
    with closed_folder() as folder:
        with without_rights():
            assert names(folder, passed_over) == ["a.jpg", "open/c.jpg"]
        assert passed_over.unreadable == [str(folder / "closed")]


def test_the_walk_goes_no_further_than_it_is_asked_to(tmp_path: Path) -> None:
    made(tmp_path, "a.jpg", "later/b.jpg")
    walk = scanned(tmp_path)
    assert shown(next(walk).uri).endswith("a.jpg")
    made(tmp_path, "later/a-new.jpg")
    assert [Path(shown(found.uri)).name for found in walk] == ["a-new.jpg", "b.jpg"]


def peak_of_scan(folder: Path, before: str = "") -> tuple[int, int]:
    """How many files a scan finds, and the most bytes it holds: in a process where nobody else allocates.

    `before` is a line of Python; without a look at each file a large folder takes seconds and not a minute.
    """
    code = (
        "import sys, tracemalloc\n"
        "import producer.ingest.sources.scan\n"
        "from pathlib import Path\n"
        "from producer.ingest.sources.exclusion import Exclusion, PassedOver\n"
        "from producer.ingest.sources.scan import scan\n"
        f"{before}\n"
        "tracemalloc.start()\n"
        "found = sum(1 for _ in scan(Path(sys.argv[1]), Exclusion(sys.argv[1]), PassedOver()))\n"
        "print(found, tracemalloc.get_traced_memory()[1])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    found, peak = done.stdout.split()
    return int(found), int(peak)


def test_a_folder_of_any_number_of_names_is_held_in_the_same_memory() -> None:
    count, held = 60_000, 20_000
    with memory_folder() as folder:
        at = os.open(folder, os.O_RDONLY)
        for number in range(count):
            # A picture, or now and then an empty folder.
            if number % 100:
                os.close(os.open(f"{number:06d}.jpg", os.O_CREAT, dir_fd=at))
            else:
                os.mkdir(f"{number:06d}", dir_fd=at)
        os.close(at)
        module = "producer.ingest.sources.scan"
        found, peak = peak_of_scan(folder, f"{module}.file_ref, {module}.SORTED_NAMES = lambda *_: None, {held}")
    assert found == count - count // 100
    # Less than the names take, for only a part of them is held.
    assert peak / count < 50


def test_each_file_of_a_folder_that_is_too_large_to_be_sorted_is_found_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("producer.ingest.sources.scan.SORTED_NAMES", 7)
    wanted = [f"{number}.jpg" for number in range(30)] + [
        f"{number}/{each}.jpg" for number in range(9) for each in "ab"
    ]
    made(tmp_path, *wanted)
    assert sorted(names(tmp_path)) == sorted(wanted)
    (tmp_path / "small").mkdir()
    made(tmp_path / "small", "b.jpg", "a.jpg", "c/d.jpg")
    assert [name for name in names(tmp_path) if name.startswith("small")] == [
        "small/a.jpg",
        "small/b.jpg",
        "small/c/d.jpg",
    ]


def test_memory_does_not_grow_with_the_number_of_folders(tmp_path: Path) -> None:
    def peak_of(folders: range) -> int:
        for number in folders:
            made(tmp_path, *(f"{number:04d}/{each}.jpg" for each in range(50)))
        return peak_of_scan(tmp_path)[1]

    few, many = peak_of(range(10)), peak_of(range(10, 100))
    assert many - few < 100_000
