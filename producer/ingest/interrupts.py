"""Ctrl-C in two steps: after the first nothing more is begun, the second leaves at once."""

import signal
from types import FrameType, TracebackType


class Interrupts:
    """Counts SIGINT and SIGTERM while it is entered, instead of raising somewhere."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, object] = {}

    def __enter__(self) -> "Interrupts":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal returned before

    def stop(self) -> None:
        """Count a first one."""
        self.count = max(self.count, 1)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1

    @property
    def stopping(self) -> bool:
        """True after the first one: begin nothing more."""
        return self.count > 0

    @property
    def leaving(self) -> bool:
        """True after the second one: wait for nothing."""
        return self.count > 1
