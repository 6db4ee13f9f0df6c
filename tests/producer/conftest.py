"""A watch on a job of ten files, on the real Redis and on a clock that the test moves on."""

import pytest
import redis

import producer.ingest.job_progress
from producer.ingest.job_progress import JobProgress
from producer.ingest.window import Window
from tasks.ledger import Ledger
from tests.producer.clock import Clock
from tests.producer.files import ROOT_URI, TARGET, numbered


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time as the progress of a job sees it."""
    return Clock(monkeypatch, producer.ingest.job_progress)


@pytest.fixture
def ledger(client: redis.Redis) -> Ledger:
    """The ledger of a job of ten files."""
    ledger = Ledger(client, "job")
    ledger.open(ROOT_URI)
    return ledger


@pytest.fixture
def window(ledger: Ledger) -> Window:
    """Ten files under way, their messages in the queue."""
    window = Window(ledger, TARGET, ROOT_URI, 10, 1)
    window.enqueue(numbered(*range(10)))
    return window


@pytest.fixture
def progress(client: redis.Redis, ledger: Ledger, window: Window, clock: Clock) -> JobProgress:
    """The progress of a job on a cluster."""
    return JobProgress(client, ledger, window, local=False)
