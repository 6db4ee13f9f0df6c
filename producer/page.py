"""The page that `--html FILE` and `--open` ask for."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.text import Text

from producer.contact_sheet import THUMBNAIL, Section, contact_sheet
from producer.page_file import check_page_file, fresh_page_file, open_page, write_page
from producer.thumbnails import require_pillow, thumbnails


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
    require_pillow()
    return Page(check_page_file(file) if file is not None else None, opened)
