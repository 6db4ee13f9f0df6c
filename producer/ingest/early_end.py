"""Why an ingest ends before its work is done, each as the error that tells how to go on."""

from collections.abc import Sequence

from producer.ingest.outcome import resume_command
from settings.errors import ServiceMissing


def record_is_lost(names: Sequence[str]) -> ServiceMissing:
    """Redis does not know the job any more."""
    return ServiceMissing(
        "Redis has lost its data, and with it the record of this job. What was stored is stored; "
        f"the rest is done by: {resume_command(names)}"
    )


def redis_is_away(names: Sequence[str], seconds: float) -> ServiceMissing:
    """Redis has not answered for so many seconds."""
    return ServiceMissing(
        f"Redis is away for {seconds:.0f} s. What was stored is stored; when it is back: {resume_command(names)}"
    )


def redis_forgets(names: Sequence[str], counted: int, files: int) -> ServiceMissing:
    """Redis counts fewer files than there are, again and again."""
    return ServiceMissing(
        f"Redis counts {counted:,} of {files:,} files, for it forgets what it is told (is its maxmemory-policy "
        f"noeviction?). What was stored is stored: {resume_command(names)}"
    )
