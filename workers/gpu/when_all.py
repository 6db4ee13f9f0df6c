"""Going on when several futures have ended, without a thread that waits for them."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any


def when_all(futures: Sequence[Future[Any]], then: Callable[[], None]) -> None:
    """Call `then` once all of these have a result, an error or were cancelled; at once where they have already.

    It is called by the thread that ends the last of them, so it must be quick and must not raise.
    """
    left = len(futures) + 1
    lock = threading.Lock()

    def one_less(_: Future[Any] | None = None) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = not left
        if last:
            then()

    for future in futures:
        future.add_done_callback(one_less)
    one_less()
