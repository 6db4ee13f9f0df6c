"""Whether the system can tell of changes in all folders below one: Linux limits how many a user may watch."""

import os
from collections.abc import Sequence
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

# The limit of the whole machine, and that of a container or another namespace of users.
LIMITS = (Path("/proc/sys/fs/inotify/max_user_watches"), Path("/proc/sys/user/max_inotify_watches"))


def watch_limit(root: Path, limits: Sequence[Path] = LIMITS) -> str | None:
    """Why not all folders below `root` can be watched; None where they can.

    Without this look a watch would pass over the rest of them and say nothing.
    """
    limit = min(_numbers(limits), default=None)
    # One more than may be watched is enough to know.
    if limit is not None and sum(1 for _ in islice(os.walk(bytes(root)), limit + 1)) > limit:
        return f"it has more folders than the {limit:,} of fs.inotify.max_user_watches"
    return _refusal(root)


def _numbers(limits: Sequence[Path]) -> list[int]:
    numbers = []
    for path in limits:
        with suppress(OSError, ValueError):
            numbers.append(int(path.read_text()))
    return numbers


def _refusal(root: Path) -> str | None:
    """What the system says to a try, for other programs of this user may hold watches too."""
    from watchfiles import watch

    # Told apart from folders that are closed to this user, over which a watch may pass.
    tries = watch(
        root, watch_filter=None, rust_timeout=1, yield_on_timeout=True, force_polling=False, raise_interrupt=False
    )
    try:
        with closing(tries):
            next(tries, None)
    except PermissionError:
        return None
    except OSError:
        return "the system watches no more folders for this user, see fs.inotify.max_user_watches"
    return None
