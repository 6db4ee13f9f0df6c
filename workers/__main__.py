"""`python -m workers`: the commands, with every error that a person can mend told in one sentence."""

import sys

from settings.errors import DarkroomError
from tasks.registry import node_name
from workers.cli import cli
from workers.logs import as_json, json_line


def main() -> None:
    """Run the command line; ends the process with the exit code of the error, if there is one."""
    try:
        cli(prog_name="python -m workers")
    except DarkroomError as error:
        line = json_line("ERROR", node_name("workers"), f"error: {error}") if as_json() else f"error: {error}"
        print(line, file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
