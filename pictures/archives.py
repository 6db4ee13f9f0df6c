"""Reads members of zip archives; the last few archives stay open, because reading their directories is slow."""

import calendar
import hashlib
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import BinaryIO

from pictures.picture import Content, FileGone, LoadError, Reserve, check_bytes, no_limit
from pictures.remote import SECOND

MAX_OPEN = 4


class Archives:
    """Zip archives by address and state; safe to call from many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, Hashable], zipfile.ZipFile] = OrderedDict()

    def read(
        self,
        archive: str,
        state: Hashable,
        open_archive: Callable[[], BinaryIO],
        name: str,
        reserve: Reserve = no_limit,
    ) -> Content:
        """Read the member `name` of an archive; the archive is opened again when its `state` has changed.

        Raises LoadError with the reason if it cannot be read.
        """
        try:
            zip_file = self._archive(archive, state, open_archive)
        except (zipfile.BadZipFile, EOFError, ValueError):
            raise LoadError("read", "the archive is damaged or no zip file") from None
        try:
            member = zip_file.getinfo(name)
        except KeyError:
            raise FileGone("the file is gone from the archive") from None
        file = member.file_size, modified_member(member)
        check_bytes(*file, self._max_bytes)
        if member.flag_bits & 1:
            raise LoadError("read", "it is encrypted in the archive", file)
        reserve(member.file_size)
        try:
            # zipfile never unpacks more bytes than the size in the archive's directory.
            with zip_file.open(member) as stream:
                data = stream.read()
        except NotImplementedError:
            raise LoadError("read", "it is compressed in a way that is not supported", file) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
            raise LoadError("read", "the archive is damaged in this place") from None
        except MemoryError:
            raise LoadError("read", f"not enough memory to read its {member.file_size:,} bytes") from None
        return Content(data, hashlib.sha256(data).hexdigest(), modified_member(member))

    def _archive(self, archive: str, state: Hashable, open_archive: Callable[[], BinaryIO]) -> zipfile.ZipFile:
        # Under the lock, so that threads that need the same archive do not all read its directory.
        with self._lock:
            zip_file = self._open.get((archive, state))
            if zip_file is None:
                zip_file = self._open[archive, state] = zipfile.ZipFile(open_archive())
                while len(self._open) > MAX_OPEN:
                    # Not closed, because other threads may read from it; it is closed when the last one is done.
                    self._open.popitem(last=False)
            self._open.move_to_end((archive, state))
            return zip_file


def modified_member(member: zipfile.ZipInfo) -> int:
    """The version of a member of an archive; its time has no zone and counts as UTC."""
    try:
        seconds = calendar.timegm((*member.date_time, 0, 0, 0))
    except ValueError:
        seconds = 0
    return max(0, seconds) * SECOND + member.CRC % SECOND
