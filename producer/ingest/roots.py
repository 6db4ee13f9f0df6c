"""What `ingest` is told to ingest: a folder of this machine, a zip archive, a bucket, a picture on a web server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pictures.paths import NotAllowed, paths_of, require_allowed
from pictures.uris import REMOTE, member, place, uri_of
from producer.ingest.named_folder import absolute, check_root
from producer.ingest.scan import FileRef, scan
from settings import Settings
from settings.errors import WrongUse

Files = Callable[[list[str]], Iterator[FileRef]]


@dataclass(frozen=True)
class OtherRoot:
    """A root that is no folder of this machine: its address in messages, and how a person names it."""

    uri: str
    name: str

    def __str__(self) -> str:
        return self.name


def root_uri(root: Path | OtherRoot) -> str:
    """The address of a root, as messages and payloads have it."""
    return root.uri if isinstance(root, OtherRoot) else uri_of(bytes(root))


def find_root(name: str, settings: Settings) -> tuple[Path | OtherRoot, Files]:
    """The root that a person means, and its files, which may be asked for more than once.

    Raises WrongUse for a name that is none, or that the workers of a local stack may not read.
    """
    scheme, separator, _ = name.partition("://")
    root: Path | OtherRoot
    if separator:
        root = OtherRoot(_address(name, scheme), name)
    else:
        path = absolute(Path(name)) if name.lower().endswith(".zip") else None
        if path is None or not path.is_file():
            folder = check_root(Path(name))
            _require_allowed(folder, settings)
            return folder, partial(scan, folder)
        root = OtherRoot(member(uri_of(bytes(path)), ""), str(path))
    _require_allowed(root, settings)
    from producer.ingest.remote_scan import scan_other

    return root, partial(scan_other, root.uri, settings)


def _address(name: str, scheme: str) -> str:
    """The address as messages have it: percent-encoded, an archive as such; raises WrongUse."""
    if scheme not in REMOTE:
        raise WrongUse(f"{scheme}:// cannot be ingested: name a folder, a .zip file or one of {', '.join(REMOTE)}://.")
    try:
        address_place = place(name).as_root()
    except ValueError as error:
        raise WrongUse(f"This {scheme}:// address cannot be ingested: {error}.") from None
    uri = address_place.uri
    return member(uri, "") if uri.lower().endswith(".zip") else uri


def _require_allowed(root: Path | OtherRoot, settings: Settings) -> None:
    # Only for a stack of this machine: the workers of a cluster have settings of their own, and refuse by themselves.
    if settings.broker.url != "embedded":
        return
    try:
        require_allowed(paths_of(settings), root_uri(root))
    except NotAllowed as error:
        example = "DARKROOM__PATHS__ALLOWED='[\"" + str(root) + "\"]'"
        raise WrongUse(f"{root} may not be read: {error}. To allow it: {example}.") from None
