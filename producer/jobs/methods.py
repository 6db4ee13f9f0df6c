"""The methods of the Python client that begin, end and show jobs without waiting for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from producer.session import Session

if TYPE_CHECKING:
    from producer.jobs.report import Report
    from producer.jobs.view import JobView
    from producer.records import FailedFile, Job, Records


class JobMethods(Session):
    """See Darkroom."""

    def start_ingest(self, *sources: str | Path) -> str:
        """Begin an ingest in a process of its own, which goes on by itself; the name of its job."""
        from producer.ingest.sources.named_sources import sources_of
        from producer.jobs.background import start

        names = [str(source) for source in sources]
        sources_of(names, self.settings)
        with self._stack() as stack:
            return start("ingest", names, self.settings, stack)

    def start_retry(self, job: str) -> str:
        """Begin in the same way to ingest the failed files of a job again; the name of the new job."""
        from producer.jobs.background import start
        from producer.jobs.view import require_own_job
        from tasks.broker import redis_client

        with self._stack() as stack:
            require_own_job(redis_client(self.settings), job)
            return start("retry", [job], self.settings, stack)

    def cancel(self, job: str) -> None:
        """Stop a job as Ctrl-C does where it runs: what is under way is finished, and nothing more is enqueued."""
        from producer.jobs.view import cancel
        from tasks.broker import redis_client

        with self._stack():
            cancel(redis_client(self.settings), job)

    def jobs(self, limit: int = 20) -> Records[Job]:
        """The jobs of the last 30 days, the newest first."""
        from producer.jobs.view import job_list
        from tasks.broker import redis_client

        with self._stack():
            return job_list(redis_client(self.settings), limit)

    def job(self, job: str) -> Job:
        """How one job is."""
        from producer.jobs.view import job_status
        from tasks.broker import redis_client

        with self._stack():
            return job_status(redis_client(self.settings), job)

    def latest_job(self) -> str:
        """The name of the latest job of this collection; raises WrongUse where there is none."""
        from producer.jobs.view import latest_job
        from tasks.broker import redis_client

        with self._stack():
            return latest_job(redis_client(self.settings))

    def errors(self, job: str) -> Records[FailedFile]:
        """Every failed file of a job with its reason, in the order of the scan."""
        from producer.jobs.view import failed_files
        from tasks.broker import redis_client

        with self._stack() as stack:
            return failed_files(redis_client(self.settings), job, stack.local.data)

    def report(self, job: str, csv: str | None = None) -> Report:
        """What became of every file of a job; with `csv` a row a file is written there, "-" for the standard output."""
        from producer.jobs.report import REPORT_FILE, report
        from producer.output_file import check_output

        if csv not in (None, "-"):
            check_output(Path(str(csv)), REPORT_FILE)
        with self._stack() as stack:
            return report(job, csv, self.settings, stack)

    @contextmanager
    def view(self, job: str | None = None) -> Iterator[JobView]:
        """How everything is, or one job, to be read again and again while the context is open."""
        from producer.jobs.view import JobView
        from tasks.broker import redis_client

        with self._stack() as stack:
            view = JobView(redis_client(self.settings), job, stack)
            try:
                yield view
            finally:
                view.close()
