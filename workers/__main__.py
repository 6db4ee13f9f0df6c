"""`python -m workers`: the commands, with every error that a person can mend told in one sentence."""

import sys

from tasks.errors import DarkroomError
from workers.cli import cli


def main() -> None:
    """Run the command line; ends the process with the exit code of the error, if there is one."""
    try:
        cli(prog_name="python -m workers")
    except DarkroomError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
