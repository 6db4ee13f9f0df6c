"""One line of a log for machines, and whether such lines are wanted."""

import json
import os
import time

# Set by --log-json, for the children as well.
VARIABLE = "DARKROOM_LOG"
JSON = "json"


def as_json() -> bool:
    """True where every line is to be one JSON object."""
    return os.environ.get(VARIABLE) == JSON


def json_line(level: str, worker: str, message: str, **more: str) -> str:
    """One line for machines: time (UTC), level, worker, job, file, message."""
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    line = {"time": moment, "level": level, "worker": worker, "job": "", "file": "", "message": message, **more}
    return json.dumps(line, ensure_ascii=False)
