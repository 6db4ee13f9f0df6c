"""The list that turns the numbers of a job into files."""

import os
import time
from itertools import islice
from pathlib import Path

import pytest

from producer.jobs.listing import JobListing, listed_uris, listing_path, with_names
from settings.errors import WrongUse
from tasks.ledger import KEEP_SECONDS
from tasks.outcomes import Failure


def test_what_was_added_comes_back_in_its_order(tmp_path: Path) -> None:
    listing = JobListing(tmp_path, "job")
    uris = [f"file:///p/%C3%A4%20{number}.png" for number in range(10_000)]
    for number, uri in enumerate(uris):
        listing.add(uri)
        if number % 700 == 0:
            listing.flush()
    listing.close()
    assert list(listed_uris(tmp_path, "job")) == uris
    assert listing.path.stat().st_size < sum(map(len, uris)) / 5


def test_after_a_kill_everything_that_was_flushed_is_there(tmp_path: Path) -> None:
    listing = JobListing(tmp_path, "job")
    for number in range(5):
        listing.add(f"file:///p/{number}.png")
    listing.flush()
    listing.add("file:///p/lost.png")
    assert list(listed_uris(tmp_path, "job")) == [f"file:///p/{number}.png" for number in range(5)]


def test_a_list_is_read_as_a_stream(tmp_path: Path) -> None:
    listing = JobListing(tmp_path, "job")
    for number in range(200_000):
        listing.add(f"file:///pictures/{number}.png")
    listing.close()
    assert list(islice(listed_uris(tmp_path, "job"), 2)) == ["file:///pictures/0.png", "file:///pictures/1.png"]


def test_a_job_of_another_machine_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"job elsewhere is not at .*elsewhere\.uris\.gz: .*30 days"):
        listed_uris(tmp_path, "elsewhere")


def test_lists_go_with_the_ledgers_that_give_them_their_meaning(tmp_path: Path) -> None:
    JobListing(tmp_path, "old").close()
    JobListing(tmp_path, "young").close()
    long_ago = time.time() - KEEP_SECONDS - 60
    os.utime(listing_path(tmp_path, "old"), (long_ago, long_ago))
    JobListing(tmp_path, "new").close()
    assert not listing_path(tmp_path, "old").exists()
    assert listing_path(tmp_path, "young").exists()


def test_a_place_that_cannot_be_written_costs_the_report_and_not_the_ingest(tmp_path: Path) -> None:
    (tmp_path / "jobs").touch()  # a file where the folder should be
    listing = JobListing(tmp_path, "job")
    listing.add("file:///p/1.png")
    listing.close()
    listing.discard()
    with pytest.raises(WrongUse):
        listed_uris(tmp_path, "job")


def test_names_that_the_ledger_has_not_kept_come_from_the_list(tmp_path: Path) -> None:
    listing = JobListing(tmp_path, "job")
    for number in range(5):
        listing.add(f"file:///p/{number}.jpg")
    listing.close()
    failures = [Failure(1, "", "read", "gone"), Failure(2, "file:///q.jpg", "read", "x"), Failure(4, "", "read", "y")]
    named = [failure.uri for failure in with_names(failures, tmp_path, "job")]
    assert named == ["file:///p/1.jpg", "file:///q.jpg", "file:///p/4.jpg"]


def test_without_a_list_such_a_file_is_called_by_its_number(tmp_path: Path) -> None:
    (failure,) = with_names([Failure(7, "", "read", "gone")], tmp_path, "job")
    assert failure.uri == "file 7 of the job"
