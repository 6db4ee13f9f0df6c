"""`python -m workers`: the commands of the machines."""

import os
import sys

# Before any other import: no module of the working directory may be taken for one of ours or of a library's.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [folder for folder in sys.path if folder == OURS or folder not in ("", os.getcwd())]

from settings.command_line import run  # noqa: E402, see above
from workers.cli import cli, tell  # noqa: E402, see above


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    run(cli, "python -m workers", tell)


if __name__ == "__main__":
    main()
