"""The queues, and the names of the tasks in them."""

FILES = "files"  # GPU work: load, embed, caption
EMBED = "embed"  # GPU, interactive: text or picture to embedding
POINTS = "points"  # writes to Qdrant
QUERIES = "queries"  # reads from Qdrant
QUEUES = (FILES, EMBED, POINTS, QUERIES)
# Messages in the hands of workers: by tag, by the time of their lease, and the lock of who restores them.
UNACKED = "darkroom.unacked"
UNACKED_INDEX = "darkroom.unacked_index"
UNACKED_MUTEX = "darkroom.unacked_mutex"
INGEST = "ingest"  # folders that other programs send for an ingest


def files_of_worker(name: str) -> str:
    """The queue of one GPU worker: files that another worker could not reach."""
    return f"{FILES}.{name}"


PROCESS_FILES = "darkroom.files"
EMBED_TEXTS = "darkroom.embed_texts"
EMBED_PICTURE = "darkroom.embed_picture"
STORE_POINTS = "darkroom.points"
ENSURE = "darkroom.ensure"
PLAN = "darkroom.plan"
BY_CONTENT = "darkroom.by_content"
SEARCH = "darkroom.nearest"
DUPLICATES = "darkroom.duplicates"
COLLECTION = "darkroom.collection"
SCROLL = "darkroom.scroll"
FACTS = "darkroom.facts"
FACET = "darkroom.facet"
COUNTS = "darkroom.counts"
DELETE = "darkroom.delete"
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
    EMBED_PICTURE: {"queue": EMBED},
    STORE_POINTS: {"queue": POINTS},
    ENSURE: {"queue": POINTS},
    PLAN: {"queue": QUERIES},
    BY_CONTENT: {"queue": QUERIES},
    SEARCH: {"queue": QUERIES},
    DUPLICATES: {"queue": QUERIES},
    COLLECTION: {"queue": QUERIES},
    SCROLL: {"queue": QUERIES},
    FACTS: {"queue": QUERIES},
    FACET: {"queue": QUERIES},
    COUNTS: {"queue": QUERIES},
    DELETE: {"queue": QUERIES},
    REBUILD: {"queue": QUERIES},
    MOVE_START: {"queue": QUERIES},
    MOVE_PAGE: {"queue": QUERIES},
}
INTERNAL = tuple(task for task in ROUTES if task not in (HTTP_INGEST, HTTP_EMBED, HTTP_CAPTION, HTTP_SEARCH))
