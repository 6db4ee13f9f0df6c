"""Writes a page, whole or not at all, and opens it."""

import os
import tempfile
import webbrowser
from contextlib import suppress
from pathlib import Path

from tasks.errors import WrongUse


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
