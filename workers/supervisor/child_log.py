"""The log of a supervised child: bounded while it is written, shown where it is wanted, read for its last words."""

from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from tasks.stack.paths import error_line, last_line, rotate
from workers.logs import cut

# A line that is longer is shown in parts.
LONGEST_LINE = 65_536


class ChildLog:
    """One file, into which the output of every life of a child goes.

    With `shown`, its lines are also written there: the log of a container, or of a service manager.
    """

    def __init__(self, path: Path, shown: BinaryIO | None = None) -> None:
        self.path = path
        self._shown = shown
        self._start = self._position = 0

    def begin(self) -> None:
        """A life begins: what is in the file is of earlier ones."""
        self._start = self._position = rotate(self.path)

    def tend(self) -> None:
        """One short step while the child runs: show what is new, and cut the file if it is too long."""
        self._show()
        if cut(self.path):
            self._start = self._position = 0

    def end(self) -> None:
        """The child has ended: show all that is left."""
        self._show(to_the_end=True)

    def error(self) -> str:
        """The sentence of the last line `error: ...` of this life, or an empty text."""
        return error_line(self.path, self._start)

    def last_words(self) -> str:
        """The sentence of that line, else the last line of this life, or an empty text."""
        return self.error() or last_line(self.path, self._start)

    def _show(self, to_the_end: bool = False) -> None:
        if self._shown is None:
            return
        with suppress(OSError), self.path.open("rb") as file:
            file.seek(self._position)
            new = file.read()
            # Whole lines only: those of several children mix in one stream.
            whole = len(new) if to_the_end or len(new) > LONGEST_LINE else new.rfind(b"\n") + 1
            if whole:
                self._position += whole
                self._shown.write(new[:whole] if new[:whole].endswith(b"\n") else new[:whole] + b"\n")
                self._shown.flush()
