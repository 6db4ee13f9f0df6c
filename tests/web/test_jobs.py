"""Jobs over HTTP: begun, followed, told what failed, tried again and stopped."""

import json
import shutil
from pathlib import Path

from tests.e2e.ingests import draw_pictures
from tests.until import until
from tests.web.conftest import FILES, Site

# So many that the models of a fast machine work on them for much longer than it takes to say stop.
MANY = 2000


def test_an_ingest_is_a_job_with_its_counts(site: Site) -> None:
    job = site.get(f"jobs/{site.job}")
    assert (job["state"], job["stored"], job["failed"], job["total"]) == ("done", FILES + 1, 1, FILES + 2)
    assert job["root"] == str(site.folder)


def test_a_failed_file_has_its_reason(site: Site) -> None:
    (failed,) = site.get(f"jobs/{site.job}/errors")["errors"]
    assert failed["uri"] == (site.folder / "broken.jpg").as_uri()
    assert failed["reason"].startswith("the picture is cut off")


def test_what_failed_is_tried_again_as_a_new_job(site: Site) -> None:
    answer = site.http.post(f"/api/v1/jobs/{site.job}/retry")
    assert answer.status_code == 202
    job = answer.json()["job"]
    assert answer.headers["location"] == f"/api/v1/jobs/{job}"
    ended = site.finished(job)
    assert (ended["total"], ended["failed"]) == (1, 1)


def test_a_job_without_failures_is_not_tried_again(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "one"
    folder.mkdir()
    shutil.copy(site.folder / "plain-10.png", folder)
    job = site.http.post("/api/v1/ingest_directory", json={"directory": str(folder)}).json()["job"]
    site.finished(job)
    answer = site.http.post(f"/api/v1/jobs/{job}/retry")
    assert (answer.status_code, answer.json()["detail"]) == (400, f"No file of job {job} failed.")
    forgotten = site.home.run("forget", str(folder))
    assert forgotten.returncode == 0, forgotten.stderr


def test_a_folder_that_is_none_is_told_as_the_command_tells_it(site: Site, tmp_path: Path) -> None:
    answer = site.http.post("/api/v1/ingest_directory", json={"directory": str(tmp_path / "none")})
    told = site.home.run("ingest", str(tmp_path / "none"))
    assert answer.status_code == 400
    assert told.stderr.strip() == f"error: {answer.json()['detail']}"


def test_a_job_that_is_stopped_keeps_what_was_under_way_and_is_interrupted(site: Site, tmp_path: Path) -> None:
    folder = draw_pictures(tmp_path / "many", MANY, seed=5)
    job = site.http.post("/api/v1/ingest_directory", json={"directory": str(folder)}).json()["job"]
    until(lambda: site.get(f"jobs/{job}")["stored"], "the first file to be stored")
    assert site.http.post(f"/api/v1/jobs/{job}/cancel").status_code == 202
    ended = site.finished(job)
    assert (ended["state"], ended["stored"] < MANY) == ("interrupted", True)
    again = site.http.post(f"/api/v1/jobs/{job}/cancel")
    assert again.json()["detail"] == f"The job {job} does not run: it is interrupted."
    site.home.run("forget", str(folder))


def test_events_tell_how_a_job_goes_on_until_its_end(site: Site) -> None:
    with site.http.stream("GET", f"/api/v1/jobs/{site.job}/events") as stream:
        lines = list(stream.iter_lines())
    assert stream.headers["content-type"].startswith("text/event-stream")
    assert lines[0] == "event: job"
    assert json.loads(lines[1].removeprefix("data: "))["job"] == site.job


def test_the_list_of_jobs_is_told_as_events_as_well(site: Site) -> None:
    with site.http.stream("GET", "/api/v1/jobs/events") as stream:
        told = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert site.job in [job["job"] for job in json.loads(told.removeprefix("data: "))["jobs"]]
