"""One supervised child: start, restart with back-off, stop."""

import math
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from settings.errors import ServiceMissing
from tasks.stack.paths import StackPaths
from workers.exit_codes import DEVICE_FAILED
from workers.supervisor.child_log import ChildLog
from workers.supervisor.processes import ChildSpec, spawn

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
# Exit codes of wrong use and of a missing service: a new start would end the same way until a person changes something.
HOPELESS = (2, 3)
TOO_MANY_DEATHS = 3
# A device that has failed so often, each time within this time of the start, is left alone until a person looks at it.
DEVICE_FAILURES = 3
SOUND_SECONDS = 3600.0
SETTLED_SECONDS = 5.0


@dataclass(frozen=True)
class Ended:
    """A child's death: `how` it ended, the `fault` to tell people of (None while a restart may cure it), the delay.

    The delay is infinite for a child that stays down.
    """

    name: str
    how: str
    fault: str | None
    retry_seconds: float

    def __str__(self) -> str:
        if self.fault and math.isinf(self.retry_seconds):
            return self.fault
        what = f"{self.name} {self.how}"
        if self.fault:
            what = self.fault if self.fault.startswith(what) else f"{what}: {self.fault}"
        return f"{what.removesuffix('.')}. Starting it again in {self.retry_seconds:g} s."


class Child:
    """A command that is kept running from the moment that it is `wanted`; what it says also goes to `shown`.

    `pids` is the folder of its process id, by default that of the stack.
    """

    def __init__(
        self, spec: ChildSpec, local: StackPaths, shown: BinaryIO | None = None, pids: Path | None = None
    ) -> None:
        self.spec = spec
        self.name = spec.name
        self.log = local.logs / f"{spec.name}.log"
        self.wanted = False
        self._output = ChildLog(self.log, shown)
        self.last_words = ""
        self._lock_file = (pids or local.pids) / f"{spec.name}.pid"
        self._process: subprocess.Popen[bytes] | None = None
        self._last_pid: int | None = None
        self.dead_pids: set[int] = set()
        self._started = self._due = 0.0
        self.deaths = 0
        self._delay = FIRST_DELAY
        self._device_failures = 0

    @property
    def pid(self) -> int | None:
        """Its process id, or None while it does not run."""
        return self._process.pid if self._process else None

    def tend(self) -> Ended | None:
        """One short step: start it if it is due, or tell how it ended.

        Raises ServiceMissing when the first start fails; later ones are tried again, as after any death.
        """
        if self._process is None:
            return self._start() if self.wanted and time.monotonic() >= self._due else None
        code = self._process.poll()
        if code is None:
            self._output.tend()
            return None
        self._bury()
        return self._ended(code)

    def settled(self, announced: int | None) -> bool:
        """True when it works: it announced itself under its process id, or has lived a while if it never announces."""
        lived = time.monotonic() - self._started if self._process else 0.0
        if not (announced == self._last_pid if self.spec.announces else lived >= SETTLED_SECONDS):
            return False
        # Also when it has announced itself and died between two looks, of its first file for one: it did work.
        self.deaths, self._delay = 0, FIRST_DELAY
        return self._process is not None

    def ask_to_stop(self) -> None:
        """Send SIGTERM; it is not started again."""
        self.wanted = False
        if self._process and self._process.poll() is None:
            self._process.terminate()

    def has_stopped(self) -> bool:
        """True when it does not run any more."""
        if self._process and self._process.poll() is not None:
            self._bury()
        elif self._process:
            self._output.tend()
        return self._process is None

    def kill(self) -> None:
        """End it at once, with every process that it has started."""
        if self._process:
            self._kill_group()
            self._process.wait()
            self._bury()

    def _start(self) -> Ended | None:
        self._output.begin()
        try:
            self._process = spawn(self.spec, self.log, self._lock_file)
        except ServiceMissing as error:
            if not self._started:
                raise
            self._due = time.monotonic() + LONGEST_DELAY
            return Ended(self.name, "did not start", str(error), LONGEST_DELAY)
        self._started, self._last_pid = time.monotonic(), self._process.pid
        self.dead_pids.discard(self._last_pid)
        return None

    def _bury(self) -> None:
        # What the child itself had started, such as Redis' background rewrite, must not run on beside a new child.
        self._kill_group()
        if self._process:
            self.dead_pids.add(self._process.pid)
        self._process = None
        self._output.end()
        self._lock_file.unlink(missing_ok=True)

    def _kill_group(self) -> None:
        if self._process:
            # macOS answers EPERM for a group of which only the dead are left.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _ended(self, code: int) -> Ended:
        self.deaths += 1
        self.last_words = self._output.last_words()
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        fault = None
        if code in HOPELESS:
            fault = self._output.error() or f"{self.name} {how}; its log is {self.log}."
            delay = LONGEST_DELAY
        elif self._is_device_lost(code):
            fault = (
                f"{self.name} stays down, because its device has failed {DEVICE_FAILURES} times: {self.last_words} "
                "Start it again when the device is mended."
            )
            delay = math.inf
        else:
            if self.deaths >= TOO_MANY_DEATHS:
                fault = f"{self.name} {how}, {self.deaths} times in a row; its log is {self.log}."
            delay, self._delay = self._delay, min(2 * self._delay, LONGEST_DELAY)
        self._due = time.monotonic() + delay
        return Ended(self.name, how, fault, delay)

    def _is_device_lost(self, code: int) -> bool:
        """Count an end by a device that fails; True for one too many."""
        if code != DEVICE_FAILED:
            return False
        if time.monotonic() - self._started > SOUND_SECONDS:
            self._device_failures = 0
        self._device_failures += 1
        return self._device_failures >= DEVICE_FAILURES
