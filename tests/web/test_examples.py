"""Every example of docs/web.md that a shell can run does what the page says."""

import json
import os
import re
import subprocess

import pytest

from tests.conftest import ROOT
from tests.web.conftest import Site

EXAMPLES = re.findall(r"^```sh\n(.*?)^```", (ROOT / "docs" / "web.md").read_text(), flags=re.MULTILINE | re.DOTALL)
# What each answers with.
ANSWERS = ['"detail"', '"score"', '"score"', '"state": "done"', '"vectors"']


@pytest.mark.parametrize(("example", "answer"), list(zip(EXAMPLES, ANSWERS, strict=True)), ids=range(len(EXAMPLES)))
def test_an_example_answers_what_the_page_says(site: Site, example: str, answer: str) -> None:
    env = {**os.environ, "DARKROOM": site.url}
    done = subprocess.run(["sh", "-euc", example], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120)
    assert answer.replace(": ", ":") in done.stdout.replace(": ", ":"), done.stdout + done.stderr
    if "ingest_directory" in example:
        forgotten = site.home.run("forget", str(ROOT / "examples" / "pictures"))
        assert forgotten.returncode == 0, forgotten.stderr
    elif "search" in example:
        assert json.loads(done.stdout)
