"""A real headless browser, where one is installed."""

import shutil
import subprocess
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
# Virtual time: how long the page's own scripts may work before it is looked at.
SCRIPT_MILLISECONDS = 5000


def chromium() -> str:
    """The browser's command; skips the test where there is none."""
    found = next((path for path in map(shutil.which, NAMES) if path), None)
    if found is None:
        pytest.skip("no Chromium: apt-get install chromium")
    return found


def page(url: str, folder: Path, *options: str) -> str:
    """The document as it stands after the page's scripts have run."""
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--user-data-dir={folder}", f"--virtual-time-budget={SCRIPT_MILLISECONDS}", "--window-size=1400,800",
        *options, "--dump-dom", url,
    ]  # fmt: skip
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
