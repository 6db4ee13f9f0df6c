"""`darkroom`, and `python -m darkroom`, which is the same."""

import gc
import os
import sys

# Next to nothing that imports and a short command make is garbage: looking for it took a tenth of their time.
gc.set_threshold(50_000, 20, 20)
# Before any other import: no module of the working directory may be taken for one of ours or of a library's.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [folder for folder in sys.path if folder == OURS or folder not in ("", os.getcwd())]

from darkroom.cli import cli, tell  # noqa: E402, see above
from settings.command_line import run  # noqa: E402, see above


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    run(cli, "python -m darkroom" if sys.argv[0].endswith(".py") else "darkroom", tell)


if __name__ == "__main__":
    main()
