"""The pictures of a bucket, of a zip archive or at one address of a web server, as the scan of a folder yields them."""

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from pictures.archives import modified_member
from pictures.formats import EXTENSIONS_IN_WORDS, has_picture_extension
from pictures.paths import NotAllowed, Paths, paths_of
from pictures.picture import int64
from pictures.remote import filesystem, modified, retried, what_happened
from pictures.uris import Place, address, file_path, member, place, split
from producer.ingest.sources.exclusion import Exclusion, PassedOver
from producer.ingest.sources.scan import FileRef
from settings import Settings
from settings.errors import DarkroomError, ServiceMissing, WrongUse


def scan_other(uri: str, settings: Settings, rules: Exclusion, passed_over: PassedOver) -> Iterator[FileRef]:
    """Every picture at `uri`, an address as `find_root` makes it, by its extension and in the order of the names, that
    `rules` do not exclude; the others are counted in `passed_over`.

    One page of a bucket's listing, or the directory of an archive, is in memory at a time. Raises WrongUse for a place
    that is not there, ServiceMissing for one that is away.
    """
    archive, outer = split(uri)

    def is_wanted(name: str) -> bool:
        if not has_picture_extension(name.encode(errors="surrogateescape")):
            passed_over.note_extension(name)
            return False
        excluded = rules.excludes_path(name)
        passed_over.excluded_files += excluded
        return not excluded

    if archive is not None:
        return _members(outer, settings, is_wanted)
    if outer.startswith(("http://", "https://")):
        return _one(outer, settings)
    return _bucket(place(outer), settings, is_wanted)


def _bucket(root: Place, settings: Settings, is_wanted: Callable[[str], bool]) -> Iterator[FileRef]:
    system = filesystem(root.scheme, settings.ingest.load_seconds)
    path = f"{root.host}/{root.path}" if root.parts else root.host
    prefix = f"{root.path}/" if root.path and not root.path.endswith("/") else root.path
    is_empty = True
    with _explained(f"{root.scheme}://{path}"):
        for key, size, version in (_s3_objects if root.scheme == "s3" else _gs_objects)(system, root.host, prefix):
            is_empty = False
            if is_wanted(key[len(prefix) :]):
                yield FileRef(address(root.scheme, f"{root.host}/{key}"), int64(size), version)
        # Nothing, or one object by its own name.
        if is_empty and (info := system.info(path))["type"] == "file" and has_picture_extension(path.encode()):
            yield FileRef(root.uri, int64(int(info["size"])), modified(info))


def _s3_objects(system: Any, bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """The key, the size and the version of every object below a prefix."""
    # Page by page: what s3fs has of its own puts a whole listing into memory, and takes empty parts out of keys.
    request = {"Bucket": bucket, "Prefix": prefix}
    while True:
        page = system.call_s3("list_objects_v2", **request)
        for entry in page.get("Contents", ()):
            yield entry["Key"], entry["Size"], modified(entry)
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _gs_objects(system: Any, bucket: str, prefix: str) -> Iterator[tuple[str, int, int]]:
    """The same of a bucket of Google's."""
    request = {"prefix": prefix} if prefix else {}
    while True:
        page = system.call("GET", "b/{}/o", bucket, json_out=True, **request)
        for entry in page.get("items", ()):
            yield entry["name"], int(entry["size"]), modified(entry)
        if "nextPageToken" not in page:
            return
        request["pageToken"] = page["nextPageToken"]


def _one(uri: str, settings: Settings) -> Iterator[FileRef]:
    if not has_picture_extension(place(uri).path.encode(errors="surrogateescape")):
        raise WrongUse(
            f"{uri} is no picture by its name: a web server has no list of its files, so name one picture "
            f"({EXTENSIONS_IN_WORDS}) or a .zip."
        )
    with _explained(uri):
        info = retried(lambda: _web(settings).info(uri), uri)
    yield FileRef(uri, -1 if info["size"] is None else int64(int(info["size"])), modified(info))


def _members(archive: str, settings: Settings, is_wanted: Callable[[str], bool]) -> Iterator[FileRef]:
    def members() -> list[zipfile.ZipInfo]:
        with _opened(archive, settings) as stream, zipfile.ZipFile(stream) as whole:
            # By name, and so each name once, as whoever reads it will find it.
            return sorted(whole.NameToInfo.values(), key=lambda entry: entry.filename)

    with _explained(archive):
        found = retried(members, archive)
    for entry in found:
        name = entry.filename
        if not entry.is_dir() and is_wanted(name):
            yield FileRef(member(archive, name), entry.file_size, modified_member(entry))


def _opened(uri: str, settings: Settings) -> BinaryIO:
    if uri.startswith("file://"):
        return open(file_path(uri), "rb")
    where = place(uri)
    if where.scheme in ("http", "https"):
        return cast(BinaryIO, _web(settings).open(uri, "rb"))
    system = filesystem(where.scheme, settings.ingest.load_seconds)
    return cast(BinaryIO, system.open(f"{where.host}/{where.path}", "rb"))


def _web(settings: Settings) -> Any:
    return filesystem("http", settings.ingest.load_seconds, lambda address: _may_follow(paths_of(settings), address))


def _may_follow(paths: Paths, uri: str) -> bool:
    try:
        paths.allowed_place(uri)
    except NotAllowed:
        return False
    return True


@contextmanager
def _explained(where: str) -> Iterator[None]:
    """Turn what a library raises into a sentence."""
    try:
        yield
    except DarkroomError:
        raise
    except Exception as error:  # each library has its own; unknown ones are raised again
        if isinstance(error, zipfile.BadZipFile | ValueError):
            raise WrongUse(f"{where} is no zip archive that can be read here.") from None
        match what_happened(error, where.partition("://")[0]):
            case "gone":
                raise WrongUse(f"There is no {where}.") from None
            case "locked":
                raise WrongUse(f"{where} may not be read: the environment has no credentials for it.") from None
            case "sent on":
                raise WrongUse(f"{where} sends on to an address that is not in paths.allowed: name that one.") from None
            case _:
                raise ServiceMissing(f"{where} does not answer ({type(error).__name__}).") from None
