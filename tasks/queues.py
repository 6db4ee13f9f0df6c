"""The queues, and the names of the tasks in them.

The names carry the schema of the messages and the collection, so on one Redis database a message meets only workers
that can read it and that keep its collection. The settings are read when this module is imported.
"""

import re
from collections.abc import Iterable
from typing import cast

import redis

from settings import load_settings
from tasks.messages import SCHEMA

COLLECTION_NAME = load_settings().qdrant.collection
PREFIX = f"darkroom.v{SCHEMA}.{COLLECTION_NAME}"
FILES = f"{PREFIX}.files"  # GPU work: load, embed, caption
FILES_LATER = f"{FILES}.later"  # the same for captions that come later: taken while `files` is empty
EMBED = f"{PREFIX}.embed"  # GPU, interactive: text or picture to embedding
POINTS = f"{PREFIX}.points"  # writes to Qdrant
QUERIES = f"{PREFIX}.queries"  # reads from Qdrant
QUEUES = (FILES, FILES_LATER, EMBED, POINTS, QUERIES)
LEFT = f"{PREFIX}.left"  # files of an ingest that is gone, kept from the workers of a private Redis
# Messages in the hands of workers: by tag, by the time of their lease, and the lock of who restores them.
UNACKED = f"{PREFIX}.unacked"
UNACKED_INDEX = f"{PREFIX}.unacked_index"
UNACKED_MUTEX = f"{PREFIX}.unacked_mutex"
INGEST = f"{PREFIX}.ingest"  # folders that other programs send for an ingest
# Celery's own exchanges: broadcasts to workers, and their events for Flower.
CONTROL = f"{PREFIX}.control"
EVENTS = f"{PREFIX}.events"
# What a storage worker that ended has said of its collection, for who asks while none is up; no queue.
LAST_SEEN = f"{PREFIX}:collection"


def role(queue: str) -> str:
    """The short name of a queue, as people read it: `files`."""
    return queue.removeprefix(f"{PREFIX}.")


def left_by_other_releases(client: redis.Redis) -> dict[str, int]:
    """Queue -> messages of this collection that another release has sent, and that only its workers can read."""
    # The schema before the collection, so that no other collection's name fits.
    theirs = re.compile(
        rf"darkroom\.v\d+\.{re.escape(COLLECTION_NAME)}\.(files|points|ingest|unacked)(\.\S+@\S+|\.later)?"
    )
    names = (cast(bytes, key).decode(errors="replace") for key in client.scan_iter(match="darkroom.v*", count=1000))
    queues = sorted(name for name in names if theirs.fullmatch(name) and not name.startswith(f"{PREFIX}."))
    pipe = client.pipeline(transaction=False)
    for queue in queues:
        pipe.hlen(queue) if queue.endswith(".unacked") else pipe.llen(queue)
    return dict(zip(queues, pipe.execute(), strict=True)) if queues else {}


def told_of_other_releases(messages: dict[str, int]) -> Iterable[str]:
    """A sentence for each queue of `left_by_other_releases`."""
    return (
        f"{count:,} messages of another release wait in {queue}: start its workers to work them off, or leave them and "
        "ingest again."
        for queue, count in messages.items()
    )


def files_of_worker(name: str) -> str:
    """The queue of one GPU worker: files that another worker could not reach."""
    return f"{FILES}.{name}"


PROCESS_FILES = "darkroom.files"
EMBED_TEXTS = "darkroom.embed_texts"
EMBED_PICTURES = "darkroom.embed_pictures"
CAPTION_PICTURES = "darkroom.caption_pictures"
STORE_POINTS = "darkroom.points"
ENSURE = "darkroom.ensure"
PLAN = "darkroom.plan"
BY_CONTENT = "darkroom.by_content"
SEARCH = "darkroom.nearest"
UNRELATED = "darkroom.unrelated"
DUPLICATES = "darkroom.duplicates"
COLLECTION = "darkroom.collection"
SCROLL = "darkroom.scroll"
ORDERED = "darkroom.ordered"
FACTS = "darkroom.facts"
FACET = "darkroom.facet"
COUNTS = "darkroom.counts"
DELETE = "darkroom.delete"
CONCEPTS = "darkroom.concepts"
REBUILD = "darkroom.rebuild"
MOVE_START = "darkroom.move_start"
MOVE_PAGE = "darkroom.move_page"

# Tasks that other programs call by Flower's HTTP interface: JSON in, JSON out (workers/http_tasks/).
HTTP_INGEST = "darkroom.ingest_directory"
HTTP_EMBED = "darkroom.embed"
HTTP_CAPTION = "darkroom.caption"
HTTP_SEARCH = "darkroom.search"

ROUTES = {
    HTTP_INGEST: {"queue": INGEST},
    HTTP_EMBED: {"queue": EMBED},
    HTTP_CAPTION: {"queue": EMBED},
    HTTP_SEARCH: {"queue": EMBED},
    PROCESS_FILES: {"queue": FILES},
    EMBED_TEXTS: {"queue": EMBED},
    EMBED_PICTURES: {"queue": EMBED},
    CAPTION_PICTURES: {"queue": EMBED},
    STORE_POINTS: {"queue": POINTS},
    ENSURE: {"queue": POINTS},
    PLAN: {"queue": QUERIES},
    BY_CONTENT: {"queue": QUERIES},
    SEARCH: {"queue": QUERIES},
    UNRELATED: {"queue": QUERIES},
    DUPLICATES: {"queue": QUERIES},
    COLLECTION: {"queue": QUERIES},
    SCROLL: {"queue": QUERIES},
    ORDERED: {"queue": QUERIES},
    FACTS: {"queue": QUERIES},
    FACET: {"queue": QUERIES},
    COUNTS: {"queue": QUERIES},
    DELETE: {"queue": QUERIES},
    CONCEPTS: {"queue": QUERIES},
    REBUILD: {"queue": QUERIES},
    MOVE_START: {"queue": QUERIES},
    MOVE_PAGE: {"queue": QUERIES},
}
INTERNAL = tuple(task for task in ROUTES if task not in (HTTP_INGEST, HTTP_EMBED, HTTP_CAPTION, HTTP_SEARCH))
