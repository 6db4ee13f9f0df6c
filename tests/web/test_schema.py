"""The interface does what its own description says, whatever is asked: with all checks of Schemathesis.

A few examples a call; `make schema` runs it at length.
"""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.web.conftest import Site, serve, stop

EXAMPLES = os.environ.get("DARKROOM_SCHEMA_EXAMPLES", "")
# Nobody's rate is limited here, and no folder that somebody makes up is ingested.
MANY = {"DARKROOM__WEB__REQUESTS": "1000000000", "DARKROOM__WEB__ROOTS": '["/nowhere"]'}


@pytest.fixture(scope="module")
def token(site: Site) -> str:
    done = site.home.run("token", "create", "for schema", "--scope", "admin", module="darkroom")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(params=["open to this machine", "with a token"])
def arguments(request: pytest.FixtureRequest, site: Site, token: str) -> Iterator[list[str]]:
    """Where the interface is, and how one comes in."""
    has_door = request.param == "with a token"
    process, url = serve(site.home, *(["--address", "0.0.0.0"] if has_door else []), **MANY)
    yield [f"{url}/api/v1/openapi.json", *(["-H", f"Authorization: Bearer {token}"] if has_door else [])]
    stop(process)


def test_every_answer_is_as_the_interface_describes_it(arguments: list[str]) -> None:
    """All but the stream of all jobs, which never ends."""
    length = ["--max-examples", EXAMPLES] if EXAMPLES else ["--max-examples", "1", "--phases", "examples,fuzzing"]
    done = subprocess.run(
        [
            *(os.path.join(os.path.dirname(sys.executable), "schemathesis"), "run", *arguments, "--checks", "all"),
            # The first map takes seconds, on a busy machine many.
            *("--request-timeout", "120"),
            *("--exclude-path", "/api/v1/jobs/events", "--seed", "1", "--no-color", *length),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
