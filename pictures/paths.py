"""Where this machine finds the files that others name, and which of them it may read: the settings of [paths]."""

import os
from collections.abc import Mapping, Sequence

from pictures.uris import Place, file_path, place, split
from settings import Settings

_OUTSIDE = "it is not below the allowed roots (paths.allowed)"


class NotAllowed(Exception):
    """The file is not below an allowed root; the text is the reason that a person reads."""


class Paths:
    """The path map and the allowed roots of one machine; paths are bytes, for a name may hold any."""

    def __init__(self, map: Mapping[str, str], allowed: Sequence[str]) -> None:
        self._map = {_parts(os.fsencode(named)): os.fsencode(here) for named, here in map.items()}
        # Resolved once: an allowed root that is a link itself stands for what it points to.
        self._folders = [_parts(os.path.realpath(self.here(os.fsencode(root)))) for root in allowed if root[0] == "/"]
        self._places = [place(root) for root in allowed if root[0] != "/"]
        self._limited = bool(allowed)

    def here(self, path: bytes) -> bytes:
        """The path on this machine of what others call `path`: the longest folder in the map that it lies in wins."""
        if not self._map:
            return path
        parts = _parts(path)
        for length in range(len(parts), -1, -1):
            folder = self._map.get(parts[:length])
            if folder is not None:
                return os.path.join(folder, *parts[length:])
        return path

    def allowed(self, path: bytes) -> bytes:
        """The path to open for `path`, a path on this machine; raises NotAllowed where it must not be read.

        With allowed roots every link and every ".." is resolved first, so that none leads out of them.
        """
        if not self._limited:
            return path
        real = os.path.realpath(path)
        parts = _parts(real)
        if not any(parts[: len(folder)] == folder for folder in self._folders):
            raise NotAllowed(_OUTSIDE)
        return real

    def allowed_place(self, uri: str) -> Place:
        """The place elsewhere that `uri` names; raises NotAllowed where it must not be read."""
        try:
            found = place(uri)
        except ValueError as error:
            raise NotAllowed(f"its address is refused: {error}") from None
        if not any(found.is_below(root) for root in self._places):
            raise NotAllowed(_OUTSIDE)
        return found


def paths_of(settings: Settings) -> Paths:
    """The paths of this machine."""
    return Paths(settings.paths.map, settings.paths.allowed)


def require_allowed(paths: Paths, uri: str) -> None:
    """Raise NotAllowed unless a file or archive, named as in messages, may be read on this machine."""
    try:
        _, outer = split(uri)
        if outer.startswith("file://"):
            paths.allowed(paths.here(file_path(outer)))
        else:
            paths.allowed_place(outer)
    except ValueError as error:
        raise NotAllowed(str(error)) from None


def _parts(path: bytes) -> tuple[bytes, ...]:
    return tuple(part for part in path.split(b"/") if part)
