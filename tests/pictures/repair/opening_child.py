"""A child that opens files with little room in its memory, and prints a line of JSON: each reason, and how it grew.

Before it reads them it decodes a picture of every format, so that libraries and their tables are there already.
"""

import json
import resource
import sys
from pathlib import Path

from pictures.decode import decode
from pictures.picture import LoadError
from tests.pictures.made.cr3_file import cr3_file
from tests.pictures.made.pictures import FORMATS, MAX_PIXELS, WHOLE, encoded, smooth
from tests.pictures.made.raw_files import raw_file

ROOM = 50_000_000


def field(name: str) -> int:
    """A size of this process in bytes, as the kernel notes it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def reason(data: bytes) -> str:
    """Why the bytes are refused, "" for a picture."""
    try:
        decode(data, MAX_PIXELS, WHOLE, None)
    except LoadError as error:
        return error.reason
    return ""


def main(paths: list[str]) -> None:
    """Open them one after the other."""
    small = smooth(96, 64)
    for form in (*FORMATS, "JPEG2000"):
        assert reason(encoded(small, form)) == ""
    preview = encoded(small, "JPEG")
    for data in (raw_file("DNG", small), raw_file("RAF", small, preview=preview), cr3_file((96, 64), preview)):
        assert reason(data) == ""
    files = [Path(path).read_bytes() for path in paths]
    before = field("VmRSS")
    limit = field("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    reasons = [reason(data) for data in files]
    print(json.dumps({"reasons": reasons, "grown": field("VmHWM") - before}))


if __name__ == "__main__":
    main(sys.argv[1:])
