"""Which file has which number in a job: a compressed list of URIs on this machine, a line a file, in their order.

The ledger in Redis knows files by number only, so that it stays small; this list is what turns numbers into names.
"""

import contextlib
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from settings.errors import WrongUse
from tasks.ledger import KEEP_SECONDS
from tasks.outcomes import Failure

NO_NAME = "file"
GZIP = zlib.MAX_WBITS | 16
READ_BYTES = 1 << 16


def listing_path(data: Path, job: str) -> Path:
    """Where the list of a job lies below the data directory."""
    return data / "jobs" / f"{job}.uris.gz"


class JobListing:
    """Writes the list of one job. A disk that takes no more costs the report of this job, never the ingest."""

    def __init__(self, data: Path, job: str) -> None:
        self.path = listing_path(data, job)
        self._packer = zlib.compressobj(level=3, wbits=GZIP)
        self._waiting: list[str] = []
        self._lost = False
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _forget_old(self.path.parent)

    def add(self, uri: str) -> None:
        """The URI of the next file."""
        self._waiting.append(uri)

    def flush(self) -> None:
        """Write what was added, so that whatever happens to this process it can be read."""
        if self._waiting:
            lines = "".join(f"{uri}\n" for uri in self._waiting).encode()
            self._waiting.clear()
            self._write(self._packer.compress(lines) + self._packer.flush(zlib.Z_SYNC_FLUSH))

    def close(self) -> None:
        """Write the rest and the end of the list."""
        self.flush()
        self._write(self._packer.flush())

    def discard(self) -> None:
        """Remove the list of a job that nobody will ask about."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write(self, packed: bytes) -> None:
        if self._lost:
            return
        try:
            with self.path.open("ab") as file:
                file.write(packed)
        except OSError:
            self._lost = True


def listed_uris(data: Path, job: str) -> Iterator[str]:
    """The URIs of a job in the order of their numbers; of a job that was killed, those that it had written.

    Raises WrongUse where this machine has no list of the job.
    """
    path = listing_path(data, job)
    if not path.is_file():
        raise WrongUse(
            f"The list of files of job {job} is not at {path}: it is kept for 30 days by the machine that ran the job, "
            "in its data.dir."
        )
    return _lines(path)


def with_names(failures: Iterable[Failure], data: Path, job: str) -> Iterator[Failure]:
    """The same failures, in the order of their numbers, with the URIs that the ledger has not kept.

    Where this machine has no list of the job, such a file is called by its number: "file 123 of the job".
    """
    names: Iterator[tuple[int, str]] | None = None
    for failure in failures:
        uri = failure.uri
        if not uri:
            if names is None:
                path = listing_path(data, job)
                names = enumerate(_lines(path)) if path.is_file() else iter(())
            uri = next((name for number, name in names if number == failure.number), "")
        yield replace(failure, uri=uri or f"{NO_NAME} {failure.number} of the job")


def _lines(path: Path) -> Iterator[str]:
    unpacker = zlib.decompressobj(wbits=GZIP)
    rest = b""
    with path.open("rb") as file:
        while packed := file.read(READ_BYTES):
            *lines, rest = (rest + unpacker.decompress(packed)).split(b"\n")
            yield from (line.decode() for line in lines)


def _forget_old(folder: Path) -> None:
    # As long as the ledger: a list without the outcomes of its numbers says nothing.
    for path in folder.glob("*.uris.gz"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > KEEP_SECONDS:
                path.unlink()
