"""`python -m tests.cluster`: a job in a shared world, one scene after the other; ends in one line of JSON."""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from tests.cluster.album import Verdict
from tests.cluster.cut_cable import cut_cable
from tests.cluster.network import why_not
from tests.cluster.scenes import SCENES, play

CABLE = "cut_cable"


@click.command()
@click.option("--files", default=300, show_default=True, type=click.IntRange(20), help="Files of each job.")
@click.option(
    "--seconds",
    default=45.0,
    show_default=True,
    help="How long each fault lasts: sockets give up after 30, a worker that is not heard is given up after 30.",
)
@click.option(
    "--scene", "chosen", multiple=True, type=click.Choice([CABLE, *SCENES]), help="Only this one (repeatable)."
)
def main(files: int, seconds: float, chosen: tuple[str, ...]) -> None:
    """Play the scenes; exit code 1 when a file is lost, doubled, misfiled or failed, or anything else went wrong."""
    verdicts: dict[str, Verdict] = {}
    skipped: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="darkroom-cluster-") as scratch:
        for name in chosen or (CABLE, *SCENES):
            reason = why_not() if name == CABLE else None
            if reason:
                skipped[name] = reason
                print(f"{name}: skipped: {reason}", flush=True)
                continue
            verdicts[name] = _scene(name, files, seconds)(Path(scratch) / name)
            print(f"{name}: {'good' if verdicts[name].good else 'WRONG'}", flush=True)
    sums = {
        field: sum(getattr(verdict, field) for verdict in verdicts.values())
        for field in ("lost", "doubled", "misfiled")
    }
    print(json.dumps({**{name: asdict(verdict) for name, verdict in verdicts.items()}, "skipped": skipped, **sums}))
    sys.exit(not all(verdict.good for verdict in verdicts.values()))


def _scene(name: str, files: int, seconds: float) -> Callable[[Path], Verdict]:
    if name == CABLE:
        return partial(cut_cable, files=files, cut_seconds=seconds)
    return partial(play, name, files=files, seconds=seconds)


if __name__ == "__main__":
    main()
