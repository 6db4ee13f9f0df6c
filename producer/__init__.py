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
    from producer.collection.concepts import Labelled
    from producer.collection.duplicates.others import Movement
    from producer.collection.duplicates.search import Duplicates
    from producer.collection.export import Exported
    from producer.collection.forget import Forgotten
    from producer.collection.inference import Captions, Embeddings
    from producer.collection.move import Moved
    from producer.collection.prune import Pruned
    from producer.collection.sidecars import Written
    from producer.collection.stats import Stats
    from producer.ingest.outcome import Outcome
    from producer.jobs.report import Report
    from producer.jobs.view import Overview
    from producer.pages.layout import PlacedPictures
    from producer.pages.map import Map
    from producer.records import FailedFile, Job, Picture, Point, Records
    from producer.search.evaluation import Evaluation
    from producer.search.search import SearchResult
    from settings.errors import DarkroomError, NotFound, ServiceMissing, WrongUse

_HOMES = {
    "Captions": "producer.collection.inference",
    "Darkroom": "producer.client",
    "DarkroomError": "settings.errors",
    "Duplicates": "producer.collection.duplicates.search",
    "Embeddings": "producer.collection.inference",
    "Evaluation": "producer.search.evaluation",
    "Exported": "producer.collection.export",
    "FailedFile": "producer.records",
    "Forgotten": "producer.collection.forget",
    "Job": "producer.records",
    "Labelled": "producer.collection.concepts",
    "Map": "producer.pages.map",
    "Moved": "producer.collection.move",
    "Movement": "producer.collection.duplicates.others",
    "NotFound": "settings.errors",
    "Outcome": "producer.ingest.outcome",
    "Overview": "producer.jobs.view",
    "Picture": "producer.records",
    "PlacedPictures": "producer.pages.layout",
    "Point": "producer.records",
    "Pruned": "producer.collection.prune",
    "Records": "producer.records",
    "Report": "producer.jobs.report",
    "SearchResult": "producer.search.search",
    "ServiceMissing": "settings.errors",
    "Stats": "producer.collection.stats",
    "Written": "producer.collection.sidecars",
    "WrongUse": "settings.errors",
}

__all__ = [
    "Captions",
    "Darkroom",
    "DarkroomError",
    "Duplicates",
    "Embeddings",
    "Evaluation",
    "Exported",
    "FailedFile",
    "Forgotten",
    "Job",
    "Labelled",
    "Map",
    "Moved",
    "Movement",
    "NotFound",
    "Outcome",
    "Overview",
    "Picture",
    "PlacedPictures",
    "Point",
    "Pruned",
    "Records",
    "Report",
    "SearchResult",
    "ServiceMissing",
    "Stats",
    "Written",
    "WrongUse",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'producer' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
