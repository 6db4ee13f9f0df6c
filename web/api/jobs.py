"""Jobs: begin an ingest, look at it, stop it, and try again what failed."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from pictures.paths import NotAllowed, Paths, require_allowed
from producer.ingest.sources.roots import find_root, root_uri
from settings import Settings
from web.api import PREFIX
from web.api.answers import Failure, Failures, JobOut, Jobs, Started
from web.doors.hosts import is_open
from web.doors.scopes import needs
from web.problems import Refused
from web.state import Web

router = APIRouter(prefix=PREFIX, tags=["jobs"])
ACCEPTED: dict[int | str, dict[str, Any]] = {202: {"description": "It was begun; Location is the address of the job."}}


class IngestRequest(BaseModel):
    """A folder, a .zip file or a bucket that this machine and the workers see."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"directory": "/photos/2024"}]})

    directory: str = Field(min_length=1, max_length=4096)


def require_ingestible(directory: str, settings: Settings) -> None:
    """Raise Refused unless a browser may have this folder ingested, WrongUse where it is none."""
    root, _ = find_root(directory, settings)
    if not settings.web.roots:
        if is_open(settings):
            return
        raise Refused(403, "Here no folder may be ingested: web.roots lists none.")
    try:
        require_allowed(Paths(settings.paths.map, settings.web.roots), root_uri(root))
    except NotAllowed:
        raise Refused(403, f"{directory} may not be ingested: it is not below the folders in web.roots.") from None


@router.post("/ingest_directory", status_code=202, responses=ACCEPTED, dependencies=[needs("ingest")])
def ingest_directory(state: Web, asked: IngestRequest, response: Response) -> Started:
    """Begin to ingest a folder; the job goes on by itself, whatever becomes of this server."""
    require_ingestible(asked.directory, state.settings)
    return _started(state.darkroom.start_ingest(asked.directory), response)


@router.get("/jobs", dependencies=[needs("read")], summary="The latest jobs")
def jobs(state: Web, limit: Annotated[int, Query(ge=1, le=1000)] = 20) -> Jobs:
    """The jobs of the last 30 days, the newest first."""
    return Jobs(jobs=[JobOut(**job.to_dict()) for job in state.darkroom.jobs(limit)])


@router.get("/jobs/{job}", dependencies=[needs("read")], summary="How a job is")
def job(state: Web, job: str) -> JobOut:
    """Its state and its counts."""
    return JobOut(**state.darkroom.job(job).to_dict())


@router.get("/jobs/{job}/errors", dependencies=[needs("read")], summary="The files of a job that failed")
def errors(state: Web, job: str) -> Failures:
    """Every failed file with its reason, in the order of the scan."""
    return Failures(job=job, errors=[Failure(**failed.to_dict()) for failed in state.darkroom.errors(job)])


@router.post("/jobs/{job}/retry", status_code=202, responses=ACCEPTED, dependencies=[needs("ingest")])
def retry(state: Web, job: str, response: Response) -> Started:
    """Ingest the failed files of a job again, as a new job."""
    return _started(state.darkroom.start_retry(job), response)


@router.post("/jobs/{job}/cancel", status_code=202, dependencies=[needs("ingest")], summary="Stop a job")
def cancel(state: Web, job: str) -> Started:
    """As Ctrl-C does where it runs: what is under way is finished, and nothing more is enqueued."""
    state.darkroom.cancel(job)
    return Started(job=job)


def _started(job: str, response: Response) -> Started:
    response.headers["Location"] = f"{PREFIX}/jobs/{job}"
    return Started(job=job)
