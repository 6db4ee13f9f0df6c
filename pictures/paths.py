"""The settings of [paths]: where this machine finds the files of other machines, and which files it may read."""

import os
from collections.abc import Mapping, Sequence

from pictures.uris import Place, file_path, place, split
from settings import Settings

_OUTSIDE = "it is not below the allowed roots (paths.allowed)"


class NotAllowed(Exception):
    """The file is not below an allowed root; the text is the reason, for the user."""


class Paths:
    """The path map and the allowed roots of one machine; paths are bytes, because a file name may contain any."""

    def __init__(self, map: Mapping[str, str], allowed: Sequence[str]) -> None:
        self._map = {_parts(os.fsencode(remote)): os.fsencode(local) for remote, local in map.items()}
        # Resolved once, because an allowed root may be a link itself.
        self._folders = [_parts(os.path.realpath(self.here(os.fsencode(root)))) for root in allowed if root[0] == "/"]
        self._places = [place(root) for root in allowed if root[0] != "/"]
        self._limited = bool(allowed)

    def here(self, path: bytes) -> bytes:
        """The path on this machine of a file that other machines call `path`, by the longest folder in the map."""
        if not self._map:
            return path
        parts = _parts(path)
        for length in range(len(parts), -1, -1):
            folder = self._map.get(parts[:length])
            if folder is not None:
                return os.path.join(folder, *parts[length:])
        return path

    def allowed(self, path: bytes) -> bytes:
        """The path to open for `path`, a path on this machine; raises NotAllowed if it must not be read.

        With allowed roots, links and ".." are resolved first, so that none leads out of the roots.
        """
        if not self._limited:
            return path
        real = os.path.realpath(path)
        parts = _parts(real)
        if not any(parts[: len(folder)] == folder for folder in self._folders):
            raise NotAllowed(_OUTSIDE)
        return real

    def allowed_place(self, uri: str) -> Place:
        """The remote place that `uri` names; raises NotAllowed if it must not be read."""
        try:
            remote = place(uri)
        except ValueError as error:
            raise NotAllowed(f"its address is refused: {error}") from None
        if not any(remote.is_below(root) for root in self._places):
            raise NotAllowed(_OUTSIDE)
        return remote


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
