"""A terminal to test with: a program runs in it, asks what it can do, and gets the answers of a chosen kind."""

import os
import pty
import select
import subprocess
import sys
import termios
from dataclasses import dataclass

from tests.conftest import ROOT

# The answers in the order of the questions: device attributes (4 is sixel), whether a picture in kitty's protocol was
# understood, the size of a letter in pixels.
PLAIN = ["\x1b[?62;22c"]
SIXEL = ["\x1b[?62;4;22c", "\x1b[6;20;10t"]
KITTY = ["\x1b[?62;22c", "\x1b_Gi=1;OK\x1b\\", "\x1b[6;20;10t"]


@dataclass(frozen=True)
class Terminal:
    """One that gives these answers. They lie ready before they are asked for, so no slow moment can lose one."""

    answers: list[str]

    def run(self, *command: str, **env: str) -> str:
        """Run a command of Python in it; everything that the command wrote, questions included."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (24, 80))
        mode = termios.tcgetattr(theirs)
        mode[3] &= ~termios.ECHO
        termios.tcsetattr(theirs, termios.TCSANOW, mode)
        os.write(ours, "".join(self.answers).encode())
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "CI")}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env={**plain, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24", **env},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        written = b""
        while True:
            select.select([ours], [], [])
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so when nobody has the other side open any more
                break
            if not piece:
                break
            written += piece
        os.close(ours)
        assert process.wait() == 0, written
        return written.decode("utf-8", "replace")
