"""Keeps children running: one thread, short steps, and an orderly end."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from tasks.registry import FAULT_LEASE_SECONDS, node_name
from workers.logs import as_json, json_line
from workers.supervisor.broker_view import BrokerState, BrokerView
from workers.supervisor.child import Child

STEP_SECONDS = 0.1
# In the first moments somebody waits for Redis to come up, who would wait for a whole step as well.
FIRST_SECONDS, SHORT_STEP_SECONDS = 2.0, 0.01
GRACE_SECONDS = 10.0


def say(text: str) -> None:
    """One line for the person, or the log, that follows the supervisor."""
    line = json_line("INFO", node_name("supervisor"), text) if as_json() else text
    print(line, file=sys.stderr, flush=True)


class Supervisor:
    """Starts its children once they are wanted, restarts the dead with back-off, names them, and stops all at the end.

    `stages` are in the order of the start; they are stopped in the opposite order.
    """

    def __init__(self, stages: Sequence[Sequence[Child]], broker: BrokerView) -> None:
        self.children = [child for stage in stages for child in stage]
        self._stages = stages
        self._broker = broker
        self._faults: dict[str, str] = {}
        self._unsaid: dict[str, str | None] = {}
        self._faults_said = time.monotonic()
        self._signals = 0

    def run(self, step: Callable[[BrokerState | None], bool], closing: Callable[[], None] = lambda: None) -> None:
        """Tend the children until SIGTERM, Ctrl-C or until `step`, called with each state at Redis, returns False.

        `closing` runs before the children are stopped. A second signal kills them at once.
        """
        begun = time.monotonic()
        with self._counting_signals():
            try:
                while not self._signals:
                    self.tend()
                    state = self._broker.state()
                    self._settle(state)
                    if not step(state):
                        break
                    is_early = state is None and time.monotonic() - begun < FIRST_SECONDS
                    time.sleep(SHORT_STEP_SECONDS if is_early else STEP_SECONDS)
                closing()
            finally:
                self._stop()

    def tend(self) -> None:
        """Start the children that are due, and name those that have ended."""
        for child in self.children:
            ended = child.tend()
            if ended:
                say(str(ended))
                if ended.fault:
                    self._faults[child.name] = self._unsaid[child.spec.full_name] = ended.fault

    def _settle(self, state: BrokerState | None) -> None:
        """Take back the faults of children that work again, and the readiness of those that have died."""
        if state is None:
            return
        for child in self.children:
            if child.settled(state.ready.get(child.spec.full_name)) and child.name in self._faults:
                del self._faults[child.name]
                self._unsaid[child.spec.full_name] = None
                say(f"{child.name} works again.")
        if time.monotonic() - self._faults_said > FAULT_LEASE_SECONDS / 3:
            self._faults_said = time.monotonic()
            for child in self.children:
                if child.name in self._faults:
                    self._unsaid.setdefault(child.spec.full_name, self._faults[child.name])
        if self._unsaid and self._broker.report(self._unsaid):
            self._unsaid = {}
        # Killed, they could not sign off.
        gone = [c.spec.full_name for c in self.children if state.ready.get(c.spec.full_name) in c.dead_pids]
        if gone:
            self._broker.withdraw(gone)

    def _stop(self) -> None:
        for stage in reversed(self._stages):
            for child in stage:
                child.ask_to_stop()
            deadline = time.monotonic() + GRACE_SECONDS
            while running := [child for child in stage if not child.has_stopped()]:
                if self._signals > 1 or time.monotonic() > deadline:
                    for child in running:
                        child.kill()
                time.sleep(0.02)

    @contextmanager
    def _counting_signals(self) -> Iterator[None]:
        def count(_number: int, _frame: FrameType | None) -> None:
            self._signals += 1

        before = {number: signal.signal(number, count) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
