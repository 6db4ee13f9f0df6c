"""The number that tells whether a file elsewhere has changed."""

import os
import zipfile
from datetime import UTC, datetime

import pytest

from pictures.archives import modified_member
from pictures.picture import int64
from pictures.reading import read_at
from pictures.remote import SECOND, UNKNOWN, modified
from producer.ingest.sources.scan import file_ref
from tests.memory_folder import memory_folder

MOMENT = datetime(2024, 5, 17, 12, 30, 15, tzinfo=UTC)


def test_a_listing_and_a_look_at_one_file_give_the_same_number() -> None:
    listed = {"LastModified": MOMENT.replace(microsecond=123000), "ETag": '"abc"', "size": 5}
    looked = {"LastModified": MOMENT, "ETag": '"abc"', "size": 5}
    assert modified(listed) == modified(looked)
    assert modified(looked) // SECOND == int(MOMENT.timestamp())


def test_a_web_server_tells_the_time_as_text() -> None:
    assert modified({"Last-Modified": "Fri, 17 May 2024 12:30:15 GMT"}) // SECOND == int(MOMENT.timestamp())
    assert modified({"updated": "2024-05-17T12:30:15.5Z"}) // SECOND == int(MOMENT.timestamp())


def test_another_content_in_the_same_second_is_another_number() -> None:
    assert modified({"LastModified": MOMENT, "ETag": "a"}) != modified({"LastModified": MOMENT, "ETag": "b"})


def test_without_a_time_the_etag_counts_and_without_both_nothing_is_known() -> None:
    assert modified({"ETag": "a"}) != modified({"ETag": "b"})
    assert modified({"size": 5}) == UNKNOWN
    assert modified({"Last-Modified": "yesterday", "size": 5}) == UNKNOWN


def test_a_member_of_an_archive_has_its_time_and_the_checksum_of_its_content() -> None:
    member = zipfile.ZipInfo("a.jpg", (2024, 5, 17, 12, 30, 14))
    member.CRC = 0xDEADBEEF
    assert modified_member(member) == (int(MOMENT.timestamp()) - 1) * SECOND + 0xDEADBEEF % SECOND
    # Nothing checks what an archive says; the 31st of a 13th month must not stop a scan.
    nonsense = zipfile.ZipInfo("a.jpg", (1980, 1, 1, 0, 0, 0))
    nonsense.date_time, nonsense.CRC = (1980, 13, 0, 0, 0, 0), 0
    assert modified_member(nonsense) % SECOND == 0


@pytest.mark.parametrize(("year", "wanted"), [(1601, -(2**63)), (2600, 2**63 - 1), (1900, None), (2200, None)], ids=str)
def test_a_local_file_of_a_far_year_has_one_number_for_the_scan_and_the_reader(year: int, wanted: int | None) -> None:
    moment = int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * SECOND
    with memory_folder() as folder:
        path = folder / "a.jpg"
        path.write_bytes(b"picture")
        os.utime(path, ns=(moment, moment))
        if path.stat().st_mtime_ns != moment:
            pytest.skip("this file system holds no such time")
        assert read_at(path, 100).mtime == file_ref(bytes(path)).mtime == (moment if wanted is None else wanted)


def test_a_number_that_is_too_wide_becomes_the_nearest_that_is_not() -> None:
    assert [int64(number) for number in (-(2**70), -1, 0, 2**63 - 1, 2**63)] == [-(2**63), -1, 0, 2**63 - 1, 2**63 - 1]
    assert modified({"Last-Modified": "Fri, 31 Dec 9999 23:59:59 GMT"}) == 2**63 - 1
