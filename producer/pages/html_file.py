"""The page that `--html FILE` and `--open` ask for: where it goes, and how it is opened."""

import os
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pictures.thumbnails import require_decoder, thumbnails
from producer.pages.contact_sheet import THUMBNAIL, Section, contact_sheet
from settings.errors import WrongUse


@dataclass(frozen=True)
class Page:
    """A page to be made: where (None: in the temporary folder), and whether the browser is to show it."""

    file: Path | None
    opened: bool

    def make(self, title: str, note: str, sections: Sequence[Section], console: Console) -> Path:
        """Make the page of these pictures, say where it is, and open it where that is wanted."""
        uris = [row["uri"] for section in sections for row in section.rows]
        with console.status(f"making {len(uris):,} thumbnails") if console.is_terminal else nullcontext():
            small = thumbnails(uris, THUMBNAIL)
        path = self.file or fresh_page_file()
        write_page(path, contact_sheet(title, note, sections, small))
        missing = sum(jpeg is None for jpeg in small.values())
        unread = f" ({missing:,} of {len(small):,} files could not be read here)" if missing else ""
        console.print(Text(f"Page: {path}{unread}"), soft_wrap=True)
        if self.opened and not open_page(path):
            console.print("No browser could be opened: open the page by hand.")
        return path


def wanted_page(file: Path | None, opened: bool) -> Page | None:
    """The page that the options ask for, None for none.

    Raises WrongUse where the file cannot be written and ServiceMissing where Pillow is missing, before any work.
    """
    if file is None and not opened:
        return None
    require_decoder()
    return Page(check_page_file(file) if file is not None else None, opened)


def check_page_file(file: Path) -> Path:
    """The absolute path of a page to be written; raises WrongUse where it cannot be, before any work is done for it."""
    path = Path(os.path.abspath(file.expanduser()))
    if path.is_dir():
        raise WrongUse(f"{path} is a folder: name a file, like {path / 'page.html'}.")
    if not path.parent.is_dir():
        raise WrongUse(f"{path} cannot be written: there is no folder {path.parent}.")
    place = path if path.exists() else path.parent
    if not os.access(place, os.W_OK, effective_ids=os.access in os.supports_effective_ids):
        raise WrongUse(f"{path} cannot be written: you have no permission.")
    return path


def write_page(path: Path, html: str) -> None:
    """Write the page beside its place, then move it there; raises WrongUse where that fails."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(html, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise WrongUse(f"{path} cannot be written: {error.strerror}.") from None


def fresh_page_file() -> Path:
    """A new file in the temporary folder, for a page that is only to be looked at."""
    descriptor, name = tempfile.mkstemp(prefix="darkroom-", suffix=".html")
    os.close(descriptor)
    return Path(name)


def open_page(path: Path) -> bool:
    """Show the page in the browser; False where there is none."""
    try:
        return webbrowser.open(path.as_uri())
    except webbrowser.Error:
        return False
