"""`python -m tests.cluster`: three hosts in network namespaces, a cut cable; ends in one line of JSON."""

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import click

from tests.cluster.network import why_not
from tests.cluster.scenario import run


@click.command()
@click.option("--files", default=300, show_default=True, type=click.IntRange(20), help="Files of the first job.")
@click.option(
    "--cut-seconds", default=45.0, show_default=True, help="How long the cable stays cut; sockets give up after 30."
)
def main(files: int, cut_seconds: float) -> None:
    """Cut one of two workers off in the middle of a job, and plug it in again."""
    reason = why_not()
    if reason:
        print(f"skipped: {reason}", file=sys.stderr)
        print(json.dumps({"skipped": reason}))
        return
    with tempfile.TemporaryDirectory(prefix="darkroom-cluster-") as scratch:
        result = run(Path(scratch), files, cut_seconds)
    print(json.dumps(asdict(result)))
    sys.exit(not (result.stored == result.files and result.healed == max(1, files // 10)))


if __name__ == "__main__":
    main()
