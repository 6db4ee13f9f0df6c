"""What a Darkroom object keeps between its calls: the settings, where progress goes, and the stack."""

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.text import Text

from producer.stack import Stack, attached
from settings import load_settings
from settings.errors import WrongUse


class Session:
    """Settings, a console, and the stack: for the calls inside of a `with` block, or for each call alone."""

    def __init__(
        self, settings: str | Path | None = None, console: Console | None = None, *, of_stack: bool = False
    ) -> None:
        """`settings` names a settings file, for the whole process; progress goes to `console`, by default nowhere.

        With `of_stack` this process is itself a part of the stack, which may go down while it is used from here.
        Raises WrongUse where the settings are wrong, or where this process has read those of another file already.
        """
        if settings is not None:
            path = str(Path(settings).expanduser().absolute())
            if os.environ.get("DARKROOM_SETTINGS") != path:
                raise WrongUse(
                    "The settings are read once for each process, before this call: set DARKROOM_SETTINGS to "
                    f"{path} before Python starts."
                )
        self.settings = load_settings()
        self.console = console or Console(quiet=True)
        self._of_stack = of_stack
        self._exits: ExitStack | None = None
        self._attaching = threading.Lock()  # many threads may share a `with` block
        self._shared: Stack | None = None

    def __enter__(self) -> Self:
        self._exits = ExitStack()
        return self

    def __exit__(self, *error: Any) -> None:
        exits, self._exits, self._shared = self._exits, None, None
        if exits is not None:
            exits.__exit__(*error)

    @contextmanager
    def _stack(self) -> Iterator[Stack]:
        """The stack, shared inside of a `with` block, else for this call alone."""
        if self._exits is None:
            with attached(self.settings, self._say, self._of_stack) as stack:
                yield stack
        else:
            with self._attaching:
                self._shared = self._shared or self._exits.enter_context(
                    attached(self.settings, self._say, self._of_stack)
                )
            yield self._shared

    def _say(self, sentence: str) -> None:
        if self.console.is_terminal:
            self.console.print(Text(sentence), style="dim", soft_wrap=True)
