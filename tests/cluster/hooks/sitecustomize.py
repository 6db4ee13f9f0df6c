"""Sets the clock of a process wrong: on PYTHONPATH, this is imported by every Python at its start.

Every Python function that reads the time of day by `time.time` is off by SECONDS_OFF seconds; Redis keeps its own time.
"""

import os
import time

_SECONDS_OFF = float(os.environ.get("SECONDS_OFF", "0"))
_right = time.time
time.time = lambda: _right() + _SECONDS_OFF
