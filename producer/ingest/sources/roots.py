"""What `ingest` is told to ingest: a folder of this machine, a zip archive, a bucket, a picture on a web server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pictures.paths import NotAllowed, paths_of, require_allowed
from pictures.uris import REMOTE, member, place, uri_of
from producer.ingest.sources.exclusion import PassedOver, exclusion_of
from producer.ingest.sources.named_folder import absolute, check_root
from producer.ingest.sources.scan import FileRef, scan
from settings import Settings
from settings.errors import WrongUse

Files = Callable[[PassedOver], Iterator[FileRef]]


@dataclass(frozen=True)
class OtherRoot:
    """A root that is no folder of this machine: its address in messages, and how a person names it."""

    uri: str
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Source:
    """What is to be ingested: its root, and its files, which can be asked for once; what is none goes to `passed_over`.

    `count` walks it a second time to count the files; None where a listing costs time or money.
    """

    root: Path | OtherRoot
    files: Callable[[], Iterator[FileRef]]
    passed_over: PassedOver
    count: Callable[[], int] | None = None


def root_uri(root: Path | OtherRoot) -> str:
    """The address of a root, as messages and payloads have it."""
    return root.uri if isinstance(root, OtherRoot) else uri_of(bytes(root))


def find_root(name: str, settings: Settings) -> tuple[Path | OtherRoot, Files]:
    """The root that a person means, and its files, which may be asked for more than once.

    Raises WrongUse for a name that is none, or that the workers of a local stack may not read, and for rules of
    exclusion that cannot be read.
    """
    excluded = settings.ingest.exclude
    root: Path | OtherRoot
    if "://" in name:
        uri = address_of(name)
        root = OtherRoot(member(uri, "") if uri.lower().endswith(".zip") else uri, name)
    else:
        path = absolute(Path(name)) if name.lower().endswith(".zip") else None
        if path is None or not path.is_file():
            folder = check_root(Path(name))
            _require_allowed(folder, settings)
            return folder, partial(scan, folder, exclusion_of(folder, excluded, settings.data.dir))
        root = OtherRoot(member(uri_of(bytes(path)), ""), str(path))
    _require_allowed(root, settings)
    from producer.ingest.sources.remote_scan import scan_other

    return root, partial(scan_other, root.uri, settings, exclusion_of(None, excluded, settings.data.dir))


def address_of(name: str) -> str:
    """The address of a place that is none of this machine, as messages have it: percent-encoded; raises WrongUse."""
    scheme = name.partition("://")[0]
    if scheme not in REMOTE:
        raise WrongUse(f"{scheme}:// cannot be used: name a folder, a .zip file or one of {', '.join(REMOTE)}://.")
    try:
        return place(name).as_root().uri
    except ValueError as error:
        raise WrongUse(f"This {scheme}:// address cannot be used: {error}.") from None


def _require_allowed(root: Path | OtherRoot, settings: Settings) -> None:
    require_allowed_place(root_uri(root), str(root), settings)


def require_allowed_place(uri: str, name: str, settings: Settings) -> None:
    """Raise WrongUse for a place that the workers of a local stack may not read; `name` is how a person names it."""
    # Only for a stack of this machine: the workers of a cluster have settings of their own, and refuse by themselves.
    if settings.broker.url != "embedded":
        return
    try:
        require_allowed(paths_of(settings), uri)
    except NotAllowed as error:
        example = "DARKROOM__PATHS__ALLOWED='[\"" + name + "\"]'"
        raise WrongUse(f"{name} may not be read: {error}. To allow it: {example}.") from None
