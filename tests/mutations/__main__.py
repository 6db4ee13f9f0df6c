"""Mutated pictures through a real worker, and one last line of JSON: `python -m tests.mutations --count 10000`."""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.conftest import SCRATCH
from tests.mutations.run import MOST_MB, run


def main() -> int:
    """Exit code 0 when every input was stored or failed for a reason, in at most MOST_MB of memory."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="darkroom-mutations-"))
    try:
        tally = run(options.count, options.seed, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        shutil.rmtree(SCRATCH, ignore_errors=True)
    for reason, count in sorted(tally.reasons.items(), key=lambda each: -each[1]):
        print(f"{count:>6}  {reason}")
    print(f"a worker may take {MOST_MB} MB at most", flush=True)
    print(tally.line())
    return 0 if tally.good else 1


if __name__ == "__main__":
    sys.exit(main())
