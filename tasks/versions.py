"""When a file elsewhere was modified, as one number that the scan and the reader both find.

It stands in the payload as `mtime`, in nanoseconds: whole seconds of the last modification, and in the digits below a
checksum of what changes with the content (the ETag, or an archive's CRC-32), so that two versions of one second differ.
"""

import calendar
import zlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zipfile import ZipInfo

SECOND = 10**9
UNKNOWN = -1


def modified(info: Mapping[str, Any]) -> int:
    """The number for what fsspec tells of a file; UNKNOWN where the server tells neither a time nor an ETag."""
    seconds = next((_seconds(info[key]) for key in ("LastModified", "Last-Modified", "updated") if info.get(key)), 0)
    tag = str(info.get("ETag") or info.get("etag") or "")
    return seconds * SECOND + zlib.crc32(tag.encode()) % SECOND if seconds or tag else UNKNOWN


def modified_member(member: ZipInfo) -> int:
    """The number for a member of an archive; its time has no zone there and is taken for UTC."""
    try:
        seconds = calendar.timegm((*member.date_time, 0, 0, 0))
    except ValueError:
        seconds = 0
    return max(0, seconds) * SECOND + member.CRC % SECOND


def _seconds(when: Any) -> int:
    try:
        if isinstance(when, str):
            when = datetime.fromisoformat(when) if when[:1].isdigit() else parsedate_to_datetime(when)
        return max(0, int(when.timestamp()))
    except (ValueError, AttributeError, OverflowError):
        return 0
