"""Reads members of zip archives; the latest few archives stay open, for reading a directory anew is slow."""

import hashlib
import threading
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import BinaryIO

from pictures.picture import Content, FileGone, LoadError
from pictures.remote import modified_member

KEPT = 4


class Archives:
    """Zip archives by name and state; safe to call from many threads."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, Hashable], zipfile.ZipFile] = OrderedDict()

    def read(self, archive: str, state: Hashable, opened: Callable[[], BinaryIO], name: str) -> Content:
        """Read the member `name` of an archive, which is opened again when its `state` has changed.

        Raises LoadError with the reason when it cannot be read.
        """
        try:
            whole = self._archive(archive, state, opened)
        except (zipfile.BadZipFile, EOFError, ValueError):
            raise LoadError("read", "the archive is damaged or no zip file") from None
        try:
            member = whole.getinfo(name)
        except KeyError:
            raise FileGone("the file is gone from the archive") from None
        if member.file_size == 0:
            raise LoadError("read", "the file is empty")
        if member.file_size > self._max_bytes:
            raise LoadError("read", f"{member.file_size:,} bytes are more than ingest.max_bytes = {self._max_bytes:,}")
        if member.flag_bits & 1:
            raise LoadError("read", "it is encrypted in the archive")
        try:
            # zipfile stops at the size that the archive announces, so no member unpacks to more.
            with whole.open(member) as stream:
                data = stream.read()
        except NotImplementedError:
            raise LoadError("read", "it is compressed in a way that is not supported") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError):
            raise LoadError("read", "the archive is damaged in this place") from None
        except MemoryError:
            raise LoadError("read", f"not enough memory to read its {member.file_size:,} bytes") from None
        return Content(data, hashlib.sha256(data).hexdigest(), modified_member(member))

    def _archive(self, archive: str, state: Hashable, opened: Callable[[], BinaryIO]) -> zipfile.ZipFile:
        # Under the lock, so that many threads that want one archive do not all read its directory.
        with self._lock:
            found = self._open.get((archive, state))
            if found is None:
                found = self._open[archive, state] = zipfile.ZipFile(opened())
                while len(self._open) > KEPT:
                    # Not closed here: others may be reading from it. The last of them lets go of the file.
                    self._open.popitem(last=False)
            self._open.move_to_end((archive, state))
            return found
