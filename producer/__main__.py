"""`python -m producer`: the command line of the producer."""

import gc
import os
import sys

# Next to nothing that imports and a short command make is garbage: looking for it took a tenth of their time.
gc.set_threshold(50_000, 20, 20)
# Before any other import: no module of the working directory may be taken for one of ours or of a library's.
OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:] = [folder for folder in sys.path if folder == OURS or folder not in ("", os.getcwd())]

from producer.cli import cli  # noqa: E402, see above
from settings.command_line import run  # noqa: E402, see above


def main() -> None:
    """Run the command line, and end the process with its exit code."""
    run(cli, "python -m producer")


if __name__ == "__main__":
    main()
