"""`python -m web`, which is the same as `darkroom web`."""

import os
import sys

# Before any other import: no module of the working directory may be taken for one of ours or of a library's.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [folder for folder in sys.path if folder == OURS or folder not in ("", os.getcwd())]

from settings.command_line import run  # noqa: E402, see above
from web.cli import web  # noqa: E402, see above


def main() -> None:
    """Serve until a signal, and end the process with its exit code."""
    run(web, "python -m web")


if __name__ == "__main__":
    main()
