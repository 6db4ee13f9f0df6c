"""Would the tests notice? `python -m tests.mutants` runs them against known wrong versions of the code.

Each wrong version is made in a copy of the checkout, and its tests run there; the version is caught when one fails. A
test that depends on chance may need several runs. The table says which test noticed, and in which run; the last line is
JSON. A test that fails without the change proves nothing, so all must pass in an unchanged copy first.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT, SCRATCH
from tests.mutants.wrong_versions import WRONG_VERSIONS, WrongVersion

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "data", "__pycache__", ".*_cache", "*.egg-info", "build", "dist")
PASSED, FAILED = 0, 1  # pytest's exit codes
MOST_RUNS = 2


@dataclass(frozen=True)
class Caught:
    """`test` (pytest's name) noticed the version in run number `runs`; None: no run of its tests did."""

    version: WrongVersion
    test: str | None
    runs: int
    seconds: float

    def row(self) -> str:
        """A row of the table."""
        who = f"`{self.test}`" if self.test else "NONE"
        return f"| {self.version.name} | {who} | {self.runs} |"


def make(version: WrongVersion, copy: Path) -> None:
    """Write the wrong version into a copy of the checkout; raises ValueError where the code has moved on."""
    file = copy / version.file
    text = file.read_text()
    if text.count(version.old) != 1:
        raise ValueError(f"{version.name}: not once in {version.file}")
    file.write_text(text.replace(version.old, version.new))


def run_tests(copy: Path, tests: Sequence[str]) -> tuple[int, str]:
    """The exit code of pytest over these tests with the code of the copy, and what it printed."""
    # Without the plugins of all libraries that are installed: they take longer to start than most of these tests.
    env = {**os.environ, "PYTHONPATH": str(copy), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rfE", "--tb=line", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(command, cwd=copy, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def first_failed(printed: str) -> str:
    """The name of the first test that pytest's summary calls failed, without its parameters."""
    lines = (line.split() for line in printed.splitlines() if line.startswith(("FAILED ", "ERROR ")))
    return next((words[1].partition("[")[0] for words in lines), "a test without a name")


def catch(version: WrongVersion, clean: Path, copy: Path) -> Caught:
    """Run the tests of a version against it, until one fails."""
    begin = time.monotonic()
    shutil.copytree(clean, copy)
    make(version, copy)
    test, runs = None, 0
    while test is None and runs < MOST_RUNS:
        runs += 1
        code, printed = run_tests(copy, version.tests)
        if code == FAILED:
            test = first_failed(printed)
        elif code != PASSED:
            raise SystemExit(f"error: the tests of {version.name!r} do not run (exit code {code}):\n{printed[-2000:]}")
    shutil.rmtree(copy)
    return Caught(version, test, runs, time.monotonic() - begin)


def catch_all(versions: Sequence[WrongVersion], scratch: Path) -> Iterator[Caught]:
    """Try each version, once the tests have passed without any change."""
    clean = scratch / "clean"
    shutil.copytree(ROOT, clean, ignore=LEFT_OUT)
    code, printed = run_tests(clean, sorted({test for version in versions for test in version.tests}))
    if code != PASSED:
        raise SystemExit(f"error: the tests do not pass without any change (exit code {code}):\n{printed[-2000:]}")
    for number, version in enumerate(versions):
        yield catch(version, clean, scratch / str(number))


def run(only: str = "") -> list[Caught]:
    """Try the versions with `only` in their names, and print a row of the table for each as it is done."""
    versions = [version for version in WRONG_VERSIONS if only in version.name]
    print("| wrong version | noticed by | run |\n|---|---|---|", flush=True)
    found = []
    with tempfile.TemporaryDirectory(prefix="darkroom-mutants-") as scratch:
        for caught in catch_all(versions, Path(scratch)):
            found.append(caught)
            print(caught.row(), flush=True)
    return found


def main() -> int:
    """Exit code 0 when every wrong version is caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="only those with this in their name")
    options = parser.parse_args()
    begin = time.monotonic()
    try:
        found = run(options.only)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    caught = sum(each.test is not None for each in found)
    print(json.dumps({"mutants": len(found), "caught": caught, "seconds": round(time.monotonic() - begin)}))
    return 0 if caught == len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
