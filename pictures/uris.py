"""The addresses of files: file://, s3://, gs://, http(s)://, and members of zip archives in any of these places.

A member of an archive has a chained address, as in fsspec: `zip://inner/name.jpg::file:///path/pictures.zip`; the
archive itself is `zip://::file:///path/pictures.zip`. Names are percent-encoded, so they may contain any byte, and `::`
occurs only between a member and its archive.
"""

import re
import uuid
from dataclasses import dataclass, replace
from urllib.parse import quote, quote_from_bytes, unquote, unquote_to_bytes, urlsplit

REMOTE = ("s3", "gs", "http", "https")
_PORTS = {"http": 80, "https": 443}
_ARCHIVE = "zip://"
# The characters at which urlsplit cuts an address, or which it removes. Our addresses have none of them, so the slow
# urlsplit, as slow as opening a file, is needed only for others.
_SPECIAL = re.compile(r"[?#\x00-\x20]")


@dataclass(frozen=True)
class Place:
    """A remote file or folder: the bucket, or the host with its port, and the decoded parts of the path below it.

    Parts may be empty, for `a//b.jpg` and `/a.jpg` are keys of their own in a bucket.
    """

    scheme: str
    host: str
    parts: tuple[str, ...]

    def is_below(self, root: "Place") -> bool:
        """True for the root itself and for everything below it."""
        parts = root.parts[:-1] if root.parts[-1:] == ("",) else root.parts
        start = (self.scheme, self.host, self.parts[: len(parts)])
        return start == (root.scheme, root.host, parts)

    def as_root(self) -> "Place":
        """The same folder by one name: without a slash at its end, unless it is a folder without a name."""
        has_slash = len(self.parts) > 1 and not self.parts[-1] and self.parts[-2]
        return replace(self, parts=self.parts[:-1]) if has_slash else self

    @property
    def path(self) -> str:
        """The path without the slash that it begins with, decoded: the key in a bucket."""
        return "/".join(self.parts)

    @property
    def uri(self) -> str:
        """The address in its canonical form."""
        return address(self.scheme, f"{self.host}/{self.path}" if self.parts else self.host)


def address(scheme: str, path: str) -> str:
    """The address of a bucket or a host with its decoded path."""
    return f"{scheme}://{quote(path, safe='/:[]' if scheme in _PORTS else '/', errors='surrogateescape')}"


def place(uri: str) -> Place:
    """The place that an s3://, gs:// or http(s):// address names.

    Raises ValueError with the reason for any other; the reason never contains the address, which may be secret.
    """
    parts = urlsplit(uri)
    if parts.scheme not in REMOTE:
        raise ValueError(f"{parts.scheme or 'a name without a scheme'}:// is none of {', '.join(REMOTE)}")
    if "@" in parts.netloc:
        raise ValueError("it holds a login: leave that to the environment (AWS_ACCESS_KEY_ID, ~/.netrc)")
    if "?" in uri or "#" in uri:
        raise ValueError('it holds a query ("?" or "#"), which may be a secret and is no part of a lasting name')
    if not re.fullmatch(r"[A-Za-z0-9.\-_]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?", parts.netloc):
        raise ValueError("it names no host and no bucket")
    host = parts.netloc
    if parts.scheme in _PORTS:
        port = parts.port or _PORTS[parts.scheme]
        name = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        host = f"{name}" if port == _PORTS[parts.scheme] else f"{name}:{port}"
    path = unquote(parts.path, errors="surrogateescape").removeprefix("/")
    names = tuple(path.split("/")) if path else ()
    if {".", ".."} & set(names) or "\0" in path or "\\" in path:
        raise ValueError('its path holds ".", "..", a backslash or a zero byte')
    if parts.scheme == "s3" and "?versionId=" in path:
        raise ValueError('its path holds "?versionId=", which s3fs takes for a version of another object')
    return Place(parts.scheme, host, names)


def uri_of(path: bytes) -> str:
    """The file:// URI of an absolute path, which may contain any byte."""
    # The same as Path.as_uri, but without a Path for every file.
    return "file://" + quote_from_bytes(path)


def path_of(uri: str) -> bytes | None:
    """The path of a file:// URI, the inverse of `uri_of`; None for any other."""
    try:
        return file_path(uri)
    except ValueError:
        return None


def file_path(uri: str) -> bytes:
    """The path that a file:// address names; raises ValueError with the reason for any other."""
    if uri.startswith("file:///") and not _SPECIAL.search(uri):
        path = unquote_to_bytes(uri[len("file://") :])
    else:
        parts = urlsplit(uri)
        if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
            raise ValueError(f"this worker reads file:// only, not {parts.scheme}://")
        path = unquote_to_bytes(parts.path)
    if b"\0" in path:
        raise ValueError("no file can have this name: it holds a zero byte")
    return path


def split(uri: str) -> tuple[str | None, str]:
    """(None, uri) for a file; (decoded name, address of the archive) for a member of an archive.

    Raises ValueError if the address of the archive is missing.
    """
    if not uri.startswith(_ARCHIVE):
        return None, uri
    inner, chained, archive = uri.removeprefix(_ARCHIVE).partition("::")
    if not chained or archive.startswith(_ARCHIVE):
        raise ValueError("a zip:// address ends in ::file:///... or another address of its archive")
    return unquote(inner, errors="surrogateescape"), archive


def member(archive: str, name: str) -> str:
    """The address of a member of an archive; with an empty name, of the archive itself."""
    return f"{_ARCHIVE}{quote(name, errors='surrogateescape')}::{archive}"


def name_of(uri: str) -> str:
    """The name of a file: the last part of its path, decoded."""
    path = uri.removeprefix(_ARCHIVE).partition("::")[0] if uri.startswith(_ARCHIVE) else uri
    return unquote(path.rsplit("/", 1)[-1], errors="replace")


def point_id(uri: str) -> str:
    """The id of a file's point: the same for every delivery and every run, so that a repetition overwrites."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, uri))


def folder_of(uri: str) -> str:
    """The address of the folder that a file is in; of a member of an archive, that of its folder in the archive."""
    if not uri.startswith(_ARCHIVE):
        return uri.rpartition("/")[0]
    inner, _, archive = uri.removeprefix(_ARCHIVE).partition("::")
    return f"{_ARCHIVE}{inner.rpartition('/')[0]}::{archive}"
