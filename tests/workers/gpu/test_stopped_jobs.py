"""A job that Ctrl-C has ended: the workers hear of it, and let go of its files that are in no model yet."""

import socket
import threading
from collections.abc import Sequence
from concurrent.futures import CancelledError
from pathlib import Path

import pytest
import redis

import workers.gpu.state
from tasks.ledger import Ledger
from tasks.messages import FilesMessage
from tests.own_settings import own_settings
from tests.until import until
from tests.workers.gpu.bench import TARGET, Bench, OpenBench, files_of
from workers.gpu.state import StoppedJobs, jobs_client


def test_a_worker_hears_once_of_each_job_that_is_stopped(client: redis.Redis) -> None:
    heard: list[str] = []
    Ledger(client, "before").stop()
    jobs = StoppedJobs(client, heard.append)
    try:
        assert "before" in jobs
        assert "after" not in jobs
        Ledger(client, "after").stop()
        until(lambda: "after" in jobs, "the worker to hear of it")
        until(lambda: len(heard) == 2, "the worker to be told")
        assert heard == ["before", "after"]
    finally:
        jobs.close()


def test_a_redis_that_is_away_does_not_keep_a_worker_from_loading_its_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as away:

        def hang_up() -> None:
            while True:
                try:
                    caller, _ = away.accept()
                except OSError:  # the test is over
                    return
                asked.append(caller)
                caller.close()

        threading.Thread(target=hang_up, daemon=True).start()
        own_settings(tmp_path, monkeypatch, f'[broker]\nurl = "redis://127.0.0.1:{away.getsockname()[1]}"\n')
        monkeypatch.setattr(workers.gpu.state, "STOPPED_SECONDS", 3600.0)
        jobs = StoppedJobs(jobs_client(), lambda job: None)
        first = len(asked)
        jobs.close()
        away.shutdown(socket.SHUT_RDWR)
    assert first == 1


def test_files_of_a_stopped_job_that_are_in_no_model_are_let_go_and_those_of_others_are_done(
    open_bench: OpenBench, folder: Path
) -> None:
    benches: list[Bench] = []

    def stopped_while_they_are_looked_up(shas: list[str]) -> Sequence[None]:
        benches[0].pipeline.stop_job("job")
        return [None] * len(shas)

    bench = open_bench(look_up=stopped_while_they_are_looked_up)
    benches.append(bench)
    files = files_of(folder, 3)
    with pytest.raises(CancelledError):
        bench.process(files)
    with pytest.raises(CancelledError):
        bench.process(files)
    assert (bench.messages, bench.failures) == ([], {})

    other = FilesMessage(TARGET, "other", "file:///root", files)
    assert bench.pipeline.process(other, Ledger(bench.ledger.client, "other")) == []
    assert [message.job for message in bench.messages] == ["other"]
