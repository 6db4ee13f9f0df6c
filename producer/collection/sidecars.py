"""Writes captions, concepts and places into .xmp files beside the pictures, for digiKam, darktable and Lightroom."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pictures.uris import path_of
from producer.collection.scroll import pages
from producer.formatting import counted
from producer.stack import Stack
from settings.extras import require

FIELDS = ["uri", "caption", "concepts", "place", "description", "keywords"]


@dataclass(frozen=True)
class Written:
    """`files` are the sidecars that were written, or would be; `left` is what was not, with the reason.

    `pictures` were looked at, `unchanged` have nothing new to tell.
    """

    pictures: int
    unchanged: int
    files: list[str]
    left: list[tuple[str, str]]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def write_sidecars(where: dict[str, Any] | None, write: bool, replace_extension: bool, stack: Stack) -> Written:
    """Look at every picture that `where` fits, and with `write` write its sidecar.

    Only what nobody has said is told: a description where there is none, keywords where there are none. A new sidecar
    is IMG.jpg.xmp, with `replace_extension` IMG.xmp; one that is there is added to, and stays as it is but for that.
    """
    require("defusedxml", "pictures", "Sidecars are read with defusedxml")
    files: list[str] = []
    left: list[tuple[str, str]] = []
    pictures = unchanged = 0
    for payload in _payloads(where, stack):
        pictures += 1
        path = path_of(payload["uri"])
        if path is None:
            left.append((payload["uri"], "it is no file of this machine"))
            continue
        try:
            sidecar = _written(path, payload, write, replace_extension)
        except LeftOut as reason:
            left.append((os.fsdecode(path), str(reason)))
            continue
        if sidecar is None:
            unchanged += 1
        else:
            files.append(os.fsdecode(sidecar))
    return Written(pictures, unchanged, files, left)


class LeftOut(Exception):
    """A picture gets no sidecar; the message is the reason."""


def _payloads(where: dict[str, Any] | None, stack: Stack) -> Iterator[dict[str, Any]]:
    for page in pages(stack, where, FIELDS):
        yield from page.payloads


def _written(path: bytes, payload: dict[str, Any], write: bool, replace_extension: bool) -> bytes | None:
    """The path of the sidecar that is, or would be, written; None where it says all already."""
    from pictures.facts.sidecar import EXTENSION, MAX_BYTES, find_sidecar
    from pictures.facts.xmp_writing import NotWritable, read, with_block

    if not os.path.isfile(path):
        raise LeftOut("the picture is not there")
    there = find_sidecar(path)
    target = there[0] if there else (os.path.splitext(path)[0] if replace_extension else path) + EXTENSION
    try:
        before = Path(os.fsdecode(target)).read_bytes() if there else None
        if before is not None and len(before) > MAX_BYTES:
            raise LeftOut(f"{os.fsdecode(target)} is larger than {MAX_BYTES:,} bytes")
        sidecar = read(before)
        properties = _properties(payload, sidecar.own, sidecar.foreign)
        after = with_block(sidecar, properties)
        if after == before or (before is None and not properties):
            return None
        if write:
            write_sidecar(target, before, after)
    except NotWritable as error:
        raise LeftOut(f"{os.fsdecode(target)}: {error}") from None
    except OSError as error:
        raise LeftOut(f"{os.fsdecode(target)} cannot be written: {error.strerror}") from None
    return target


def _properties(
    payload: dict[str, Any], own: dict[str, str | list[str]], foreign: frozenset[str]
) -> dict[str, str | list[str]]:
    """What Darkroom may say: nothing of what the sidecar of others or the picture itself says."""
    place = payload.get("place") or {}
    # A fact of the picture may be what an earlier sidecar of ours has told.
    told = {"dc:description": payload.get("description"), "dc:subject": payload.get("keywords")}
    known: dict[str, Any] = {
        "dc:description": payload.get("caption"),
        "dc:subject": payload.get("concepts"),
        "photoshop:City": place.get("city") or place.get("town"),
        "photoshop:State": place.get("region"),
        "photoshop:Country": place.get("country"),
    }
    # City, state and country belong together: beside somebody's city our country may be wrong.
    has_foreign_place = any(name.startswith("photoshop:") and name in foreign for name in known)
    return {
        name: value
        for name, value in known.items()
        if value
        and name not in foreign
        and not (name.startswith("photoshop:") and has_foreign_place)
        and (not told.get(name) or _is_same(told[name], own.get(name)))
    }


def _is_same(fact: Any, own: str | list[str] | None) -> bool:
    return sorted(fact) == sorted(own) if isinstance(fact, list) and isinstance(own, list) else fact == own


def write_sidecar(target: bytes, before: bytes | None, after: bytes) -> None:
    """Write the file whole and durably, where it is still as it was `before`, None for one that was not there.

    Where it is a link, the file behind it is written and the link stays. Raises LeftOut where another program was
    faster, and OSError.
    """
    path = Path(os.path.realpath(os.fsdecode(target)))
    descriptor, name = tempfile.mkstemp(prefix=".darkroom-", dir=path.parent)
    is_begun = False
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        if before is None:
            # An empty file takes the name: it fails where there is one, also on disks that know no links.
            path.open("xb").close()
            is_begun = True
        elif path.read_bytes() != before:
            raise FileExistsError
        with suppress(OSError):  # some disks keep no permissions
            os.chmod(name, path.stat().st_mode & 0o7777)
        os.replace(name, path)
        is_begun = False
    except FileExistsError:
        raise LeftOut(f"{path} was written by another program just now") from None
    finally:
        Path(name).unlink(missing_ok=True)
        if is_begun:
            path.unlink(missing_ok=True)


def summary(written: Written, write: bool) -> str:
    """What was done, in a sentence."""
    done = f"{counted(len(written.files), 'sidecar')} {'written' if write else 'would be written'}"
    left = f", {counted(len(written.left), 'picture')} left out" if written.left else ""
    rest = f"{written.unchanged:,} of {counted(written.pictures, 'picture')} have nothing new to tell"
    first = "" if write else " --write writes them."
    return f"{done}{left}; {rest}.{first}"
