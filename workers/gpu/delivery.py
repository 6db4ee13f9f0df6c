"""One message in the hands of a worker: which of its files are under way, and which have failed alone."""

import logging
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager

from redis.exceptions import RedisError

from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage
from workers.gpu.picture import LoadError
from workers.gpu.read import NotReachable
from workers.gpu.work import Work
from workers.logs import about_file

log = logging.getLogger("darkroom.gpu")


class Delivery:
    """The files of one message: `under_way` are those that may still be stored, `failures` those that will not.

    `not_reached` are files that lie where this machine does not see them, each with the reason.
    """

    def __init__(self, message: FilesMessage, ledger: Ledger) -> None:
        self.message = message
        self.ledger = ledger
        self.under_way: list[Work] = []
        self.failures: list[Failure] = []
        self.not_reached: list[tuple[FileItem, str]] = []

    @contextmanager
    def failing(self, item: FileItem) -> Iterator[None]:
        """Let one file fail alone: its reason goes to the ledger, and it leaves the files under way."""
        with about_file(item.uri):
            try:
                yield
                return
            except NotReachable as error:
                self.not_reached.append((item, error.reason))
                return
            except LoadError as error:
                failure = Failure(item.number, item.uri, error.stage, error.reason)
                log.warning("%s", error.reason)
            except (RedisError, CancelledError):
                # A ledger that is away and a worker that leaves say nothing about the file.
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {error}"[:300]
                failure = Failure(item.number, item.uri, "model", f"unexpected error, see the worker's log ({reason})")
                log.exception("%s", reason)
            self.ledger.failed([failure])
            self.failures.append(failure)
            self.under_way = [work for work in self.under_way if work.item is not item]
