"""What is left out of an ingest: what other programs keep beside pictures, and what the user has excluded.

Three rules decide, and the last one that says something wins: the names that other programs use, the patterns of
`ingest.exclude`, and a file `.darkroomignore` in a folder for what is in it and below it, the nearest last. Patterns
have the syntax of .gitignore, so `!name` takes something in again, but nothing below a folder that is left out.
"""

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from settings.errors import WrongUse

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

IGNORE_FILE = ".darkroomignore"
# Hidden files and folders (of them: ._* beside each file that a Mac has written, .Trash-1000, .thumbnails, Syncthing's
# .stversions); thumbnails, bins and snapshots of Synology and QNAP; bins of Windows; Lightroom's previews; what macOS
# adds to archives; what a check of the disk has found.
OF_OTHER_PROGRAMS = (
    *(".*", "@eaDir", "#recycle", "#snapshot", "@Recycle", "@Recently-Snapshot"),
    *("$RECYCLE.BIN", "RECYCLER", "System Volume Information", "*.lrdata", "__MACOSX", "lost+found"),
)
_OF_OTHER_PROGRAMS = re.compile(
    "|".join(re.escape(name).replace(r"\*", ".*") for name in OF_OTHER_PROGRAMS), re.IGNORECASE | re.DOTALL
)
# Kinds of files that are counted apart, and the length of an extension that is taken for one.
EXTENSIONS = 1000
EXTENSION_LETTERS = 12


@dataclass
class PassedOver:
    """What a scan does not yield: files without an extension of a picture by that extension ("" for none), pictures and
    folders that are excluded, links to folders, and by name the folders that could not be entered.
    """

    extensions: Counter[str] = field(default_factory=Counter)
    excluded_files: int = 0
    excluded_folders: int = 0
    linked_folders: int = 0
    unreadable: list[str] = field(default_factory=list)

    def note_extension(self, name: str) -> None:
        """Count a file that is no picture by its name; of endless kinds only so many are told apart."""
        extension = os.path.splitext(name)[1].lower()
        if len(extension) > EXTENSION_LETTERS or not extension.isprintable():
            extension = ""
        if extension not in self.extensions and len(self.extensions) >= EXTENSIONS:
            extension = ""
        self.extensions[extension] += 1

    def to_dict(self) -> dict[str, Any]:
        """The counts by their names."""
        return {
            "extensions": dict(self.extensions.most_common()),
            "excluded_files": self.excluded_files,
            "excluded_folders": self.excluded_folders,
            "linked_folders": self.linked_folders,
            "not_entered": len(self.unreadable),
        }


@dataclass(frozen=True)
class Exclusion:
    """The rules for what is in one folder: patterns with the folder that each set of them belongs to, and data.dir.

    Below a place that is none of this machine, `folder` is relative to that place and no file is looked for.
    """

    folder: str = ""
    patterns: tuple[tuple[str, "GitIgnoreSpec"], ...] = ()
    data: str | None = None

    def excludes(self, name: str, is_folder: bool) -> bool:
        """True where a file or a folder of this folder is left out."""
        path = os.path.join(self.folder, name)
        if is_folder and path == self.data:
            return True
        for base, patterns in reversed(self.patterns):
            within = nfc(path[len(base) :].lstrip("/"))
            decided = patterns.check_file(within + "/" if is_folder else within).include
            if decided is not None:
                return decided
        # A bucket may have "." and ".." in its keys, which hide nothing.
        return name not in (".", "..") and _OF_OTHER_PROGRAMS.fullmatch(name) is not None

    def below(self, name: str) -> "Exclusion":
        """The rules for what is in a folder of this folder; raises ValueError as `with_ignore_file` does."""
        return replace(self, folder=os.path.join(self.folder, name)).with_ignore_file()

    def with_ignore_file(self) -> "Exclusion":
        """These rules and those of the file .darkroomignore in this folder, where there is one.

        Raises ValueError with the reason for one that cannot be read: what is to be left out must not be taken in.
        """
        if not os.path.isabs(self.folder):
            return self
        path = os.path.join(self.folder, IGNORE_FILE)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except (FileNotFoundError, NotADirectoryError):
            return self
        except PermissionError as error:
            if not os.access(self.folder, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
                return self  # nothing in this folder can be read, and that is told of each picture
            raise ValueError(f"its {IGNORE_FILE} cannot be read: {error.strerror}") from None
        except OSError as error:
            raise ValueError(f"its {IGNORE_FILE} cannot be read: {error.strerror}") from None
        return replace(self, patterns=(*self.patterns, (self.folder, _parsed(lines, f"its {IGNORE_FILE}"))))

    def of_folder(self, path: str) -> "Exclusion | None":
        """The rules for what is in a folder below this one, whose own rules these are; None where it is left out."""
        rules = self
        try:
            for name in filter(None, path[len(self.folder) :].split("/")):
                if rules.excludes(name, is_folder=True):
                    return None
                rules = rules.below(name)
        except ValueError:
            return None
        return rules

    def excludes_path(self, path: str) -> bool:
        """True where a file below this folder, or a folder that it is in, is left out."""
        folder, name = os.path.split(path)
        rules = self.of_folder(folder)
        return rules is None or rules.excludes(name, is_folder=False)


def exclusion_of(root: Path | None, patterns: Sequence[str], data: Path) -> Exclusion:
    """The rules for a root, None for a place that is none of this machine; `data` is data.dir.

    Raises WrongUse for a pattern of `ingest.exclude` that is none, or an ignore file of the root that cannot be read.
    """
    folder = str(root) if root is not None else ""
    try:
        own = ((folder, _parsed(patterns, "ingest.exclude")),) if patterns else ()
        return Exclusion(folder, own, _place_below(root, data) if root is not None else None).with_ignore_file()
    except ValueError as error:
        raise WrongUse(f"{root or 'This place'} cannot be ingested: {error}.") from None


def _place_below(root: Path, folder: Path) -> str | None:
    """The path at which a walk of `root`, which follows no links, comes to a folder; None where it does not."""
    real_root, real = os.path.realpath(root), os.path.realpath(folder)
    return str(root) + real[len(real_root) :] if real.startswith(real_root.rstrip("/") + "/") else None


def _parsed(lines: Sequence[str], where: str) -> "GitIgnoreSpec":
    # Imported here: `import producer` stays light, and most trees have no pattern.
    from pathspec import GitIgnoreSpec

    lines = list(map(nfc, lines))
    for line in lines:
        try:
            GitIgnoreSpec.from_lines([line])
        except ValueError:
            raise ValueError(f"{where} has the line {line!r}, which is no pattern as .gitignore has them") from None
    return GitIgnoreSpec.from_lines(lines)


def nfc(text: str) -> str:
    """The one form in which patterns and names meet: some disks keep an accent as a character behind its letter."""
    return unicodedata.normalize("NFC", text)
