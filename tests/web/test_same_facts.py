"""What a program gets over HTTP has the facts that Python and the shell have: no field is left out on the way."""

from dataclasses import fields

from producer.collection.stats import Stats
from producer.records import Job
from web.api.answers import JobOut
from web.api.collection import StatsOut


def test_stats_and_jobs_have_all_fields_of_their_records() -> None:
    assert set(StatsOut.model_fields) == {field.name for field in fields(Stats)}
    # How the sources were named is for the command line, which goes on with them.
    assert set(JobOut.model_fields) == {field.name for field in fields(Job)} - {"sources"}
