"""The page that `--html FILE` and `--open` ask for: where it goes, and how it is opened."""

import os
import tempfile
import webbrowser
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pictures.thumbnail_store import kept_here
from pictures.thumbnails import require_decoder, thumbnails
from producer.output_file import check_output, replacing
from producer.pages.contact_sheet import PREVIEW, PREVIEWS, THUMBNAIL, Section, contact_sheet, is_saved
from producer.pages.rendering import PAGE, require_jinja
from settings import load_settings


@dataclass(frozen=True)
class HtmlPage:
    """A page to be made: in which file (None: a new one in the temporary folder), and whether the browser shows it."""

    file: Path | None
    opened: bool

    def make(self, title: str, note: str, sections: Sequence[Section], console: Console) -> Path:
        """Make the page of these pictures, say in which file it is, and open it where that is wanted."""
        rows, store = [row for section in sections for row in section.rows], kept_here(load_settings())
        with console.status(f"making {len(rows):,} thumbnails") if console.is_terminal else nullcontext():
            jpegs = thumbnails(rows, THUMBNAIL, store)
            previews = thumbnails([row for row in rows if is_saved(row)][:PREVIEWS], PREVIEW, store)
        path = self.file or fresh_page_file()
        with replacing(path, PAGE) as part:
            part.write_text(contact_sheet(title, note, sections, jpegs, previews), encoding="utf-8")
        missing = sum(jpeg is None for jpeg in jpegs.values())
        unread = f" ({missing:,} of {len(jpegs):,} files could not be read here)" if missing else ""
        console.print(Text(f"Page: {path}{unread}"), soft_wrap=True)
        if self.opened and not open_page(path):
            console.print("No browser could be opened: open the page by hand.")
        return path


def wanted_page(file: Path | None, opened: bool) -> HtmlPage | None:
    """The page that the options ask for, None for none.

    Raises, before any work, WrongUse where the file cannot be written and ServiceMissing where a package is missing.
    """
    if file is None and not opened:
        return None
    require_decoder()
    require_jinja("pictures")
    return HtmlPage(check_output(file, PAGE) if file is not None else None, opened)


def fresh_page_file() -> Path:
    """A new file in the temporary folder that only its owner can read, for a page that is looked at once."""
    descriptor, name = tempfile.mkstemp(prefix="darkroom-", suffix=".html")
    os.close(descriptor)
    return Path(name)


def open_page(path: Path) -> bool:
    """Show the page in the browser; False where there is none."""
    try:
        return webbrowser.open(path.as_uri())
    except webbrowser.Error:
        return False
