"""What a person runs, and the Python client behind it. It talks to Redis only.

    from producer import Darkroom

    with Darkroom() as darkroom:
        darkroom.ingest("~/Pictures")
        for picture in darkroom.search("a dog on a beach", where="taken>=2024-06"):
            print(picture.score, picture.path, picture.caption)

Importing this package loads nothing; a name is loaded when it is first used.
"""

# No module is imported here, not even typing: `python -m producer` runs this file while the working directory is still
# on the path, where a typing.py of somebody else's may lie.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from producer.client import Darkroom
    from producer.collection.duplicates import Duplicates
    from producer.collection.export import Exported
    from producer.collection.forget import Forgotten
    from producer.collection.move import Moved
    from producer.collection.prune import Pruned
    from producer.collection.search import SearchResult
    from producer.collection.stats import Stats
    from producer.ingest.outcome import Outcome
    from producer.jobs.report import Report
    from producer.jobs.view import Overview
    from producer.pages.map import Map
    from producer.records import FailedFile, Job, Picture, Point, Records
    from settings.errors import DarkroomError, ServiceMissing, WrongUse

_HOMES = {
    "Darkroom": "producer.client",
    "DarkroomError": "settings.errors",
    "Duplicates": "producer.collection.duplicates",
    "Exported": "producer.collection.export",
    "FailedFile": "producer.records",
    "Forgotten": "producer.collection.forget",
    "Job": "producer.records",
    "Map": "producer.pages.map",
    "Moved": "producer.collection.move",
    "Outcome": "producer.ingest.outcome",
    "Overview": "producer.jobs.view",
    "Picture": "producer.records",
    "Point": "producer.records",
    "Pruned": "producer.collection.prune",
    "Records": "producer.records",
    "Report": "producer.jobs.report",
    "SearchResult": "producer.collection.search",
    "ServiceMissing": "settings.errors",
    "Stats": "producer.collection.stats",
    "WrongUse": "settings.errors",
}

__all__ = [
    "Darkroom",
    "DarkroomError",
    "Duplicates",
    "Exported",
    "FailedFile",
    "Forgotten",
    "Job",
    "Map",
    "Moved",
    "Outcome",
    "Overview",
    "Picture",
    "Point",
    "Pruned",
    "Records",
    "Report",
    "SearchResult",
    "ServiceMissing",
    "Stats",
    "WrongUse",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'producer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
