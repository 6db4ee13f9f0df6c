"""Flower as people and programs see it: its pages in a browser, its HTTP interface by the commands of the docs."""

import base64
import json
import os
import re
import signal
import struct
import subprocess
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.e2e.chromium import page
from tests.e2e.conftest import Home, free_port, wait_until
from tests.e2e.flower_site import LOGIN, Site, is_up, two_free_ports

pytestmark = pytest.mark.e2e


def examples() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "http.md").read_text(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    port = free_port()
    figures = two_free_ports()
    named = {"DARKROOM__FLOWER__BASIC_AUTH": LOGIN, "DARKROOM__METRICS__PORT": str(figures)}
    home = Home(tmp_path_factory.mktemp("flower") / "data", named)
    stack = home.start("up", "--port", str(port), module="workers")
    try:
        site = Site(home, port, figures, [])
        wait_until(lambda: is_up(site))
        separator = "\necho; echo ---\n"
        script = f"FLOWER=http://127.0.0.1:{port} LOGIN={LOGIN}\n{separator.join(examples())}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script], cwd=ROOT, env=os.environ, capture_output=True, text=True,
            timeout=170, check=True,
        )  # fmt: skip
        # The first command only sets a variable.
        site.printed += [json.loads(part) for part in done.stdout.split("---")[1:]]
        yield site
    finally:
        stack.send_signal(signal.SIGTERM)
        stack.communicate(timeout=60)


def test_the_example_of_the_docs_ingests_a_folder(site: Site) -> None:
    _, ended, *_ = site.printed
    result = ended["result"]
    assert (result["stored"], result["failed"], result["interrupted"]) == (36, 1, False)
    assert result["job"] == ended["task-id"]


def test_the_examples_of_the_docs_embed_caption_and_search(site: Site) -> None:
    _, _, texts, images, captions, by_text, by_image, narrowed = (answer["result"] for answer in site.printed)
    for text in texts["vectors"]:
        row = struct.unpack(f"<{texts['dim']}f", base64.b64decode(text))
        assert sum(number * number for number in row) == pytest.approx(1, abs=1e-3)
    picture, nothing = images["vectors"]
    assert len(picture) == images["dim"]
    assert nothing is None
    assert [error["index"] for error in images["errors"]] == [1]
    assert captions["captions"] == ["a large red circle above a small blue square on a white background"]
    assert len(by_text["results"]) == 3
    assert by_text["hits"] == by_text["results"]
    assert by_text["results"][0]["modified_at"].endswith("Z")
    (best,) = by_image["results"]
    assert best["name"] == "large-red-circle-above-small-blue-square-on-white.jpg"
    assert best["score"] == pytest.approx(1, abs=1e-3)
    assert {hit["format"] for hit in narrowed["results"]} == {"PNG"}


def test_the_job_is_one_task_with_its_files_as_children_and_a_failed_one_with_its_reason(site: Site) -> None:
    job = site.printed[1]["task-id"]
    found = json.loads(site.get(f"/api/task/info/{job}"))
    assert (found["name"], found["state"]) == ("darkroom.ingest_directory", "SUCCESS")
    files = site.tasks("taskname=darkroom.files")
    assert len(files) == 37
    assert {(file["parent_id"], file["root_id"]) for file in files} == {(job, job)}
    assert set(found["children"]) == {file["uuid"] for file in files}
    (failed,) = site.tasks("taskname=darkroom.files&state=FAILURE")
    assert failed["args"] == "corrupt.jpg"
    reason = site.home.json("errors", site.printed[1]["task-id"])["errors"][0]["reason"]
    assert failed["exception"] == f"FilesFailed('corrupt.jpg: {reason}')"


def test_without_the_password_nothing_is_shown_or_done(site: Site) -> None:
    for path in ("/tasks", "/api/tasks", "/api/task/apply/darkroom.search"):
        for login in (None, "me:wrong"):
            with pytest.raises(urllib.error.HTTPError) as refused:
                site.get(path, login)
            assert refused.value.code == 401, (path, login)


def test_a_task_that_nobody_has_taken_yet_is_known(site: Site) -> None:
    sent = json.loads(site.post("/api/task/async-apply/darkroom.embed", {"kwargs": {}, "queue": "nobody"}))

    def state() -> str | None:
        try:
            return str(json.loads(site.get(f"/api/task/info/{sent['task-id']}"))["state"])
        except urllib.error.HTTPError:
            return None

    wait_until(lambda: state() == "PENDING")


def test_a_browser_shows_the_job_the_failed_file_and_the_workers(site: Site, tmp_path: Path) -> None:
    address = f"http://{LOGIN}@127.0.0.1:{site.port}"
    failed = page(f"{address}/tasks?state=FAILURE", tmp_path)
    assert "FilesFailed('corrupt.jpg: " in failed
    job = site.printed[1]["task-id"]
    shown = page(f"{address}/task/{job}", tmp_path)
    assert shown.count('href="/task/') >= 37
    workers = page(f"{address}/workers", tmp_path)
    for name in ("gpu0@", "storage@", "ingest@"):
        assert f">{name}" in workers


def test_every_figure_that_the_dashboard_draws_is_there_and_right(site: Site) -> None:
    served = site.figures("storage") + site.figures("gpu0") + site.get("/metrics")
    names = set(re.findall(r"^([a-z_]+)(?:\{| )", served, flags=re.MULTILINE))
    dashboard = json.loads((ROOT / "deploy" / "grafana.json").read_text())
    drawn = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in re.findall(r"\b((?:darkroom|flower|process)_[a-z_]+)", target["expr"])
    }
    assert len(drawn) > 8
    documented = set(re.findall(r"`(darkroom_[a-z_]+)`", (ROOT / "docs" / "operations.md").read_text()))
    assert {name for name in drawn if name.startswith("darkroom")} <= {
        f"{name}{end}" for name in documented for end in ("", "_bucket", "_sum")
    }
    # A counter with labels is there once it has counted, and here nothing was done twice.
    assert drawn - names == {"darkroom_retries_total"}
    assert "# TYPE darkroom_retries_total counter" in served
    assert 'darkroom_files_total{outcome="stored"} 36.0' in site.figures("storage")
    assert 'darkroom_files_total{outcome="failed"} 1.0' in site.figures("gpu0")
    assert 'darkroom_queue_messages{queue="files"} 0.0' in site.figures("storage")
    for batcher in ("clip", "blip"):
        (count,) = re.findall(rf'darkroom_batch_size_sum{{batcher="{batcher}"}} (\S+)', site.figures("gpu0"))
        assert float(count) >= 36
