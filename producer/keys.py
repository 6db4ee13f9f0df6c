"""Single keys from the terminal, without Enter."""

import os
import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def single_keys() -> Iterator[None]:
    """Let keys arrive one by one and unseen; Ctrl-C works as ever. Without a terminal nothing changes."""
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def pressed(wanted: str, seconds: float) -> bool:
    """Wait for at most `seconds`; True as soon as one of the `wanted` keys is pressed."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if not sys.stdin.isatty():
            time.sleep(left)
            return False
        if select.select([sys.stdin], [], [], left)[0] and os.read(sys.stdin.fileno(), 1).decode("latin-1") in wanted:
            return True
    return False
