"""The four queues and the names of the tasks that travel through them."""

FILES = "files"  # GPU work: load, embed, caption
EMBED = "embed"  # GPU, interactive: text or picture to embedding
POINTS = "points"  # writes to Qdrant
QUERIES = "queries"  # reads from Qdrant

PROCESS_FILES = "darkroom.files"
EMBED_TEXTS = "darkroom.embed"
STORE_POINTS = "darkroom.points"
ENSURE = "darkroom.ensure"
PLAN = "darkroom.plan"
BY_CONTENT = "darkroom.by_content"
SEARCH = "darkroom.search"
COLLECTION = "darkroom.collection"

ROUTES = {
    PROCESS_FILES: {"queue": FILES},
    EMBED_TEXTS: {"queue": EMBED},
    STORE_POINTS: {"queue": POINTS},
    ENSURE: {"queue": POINTS},
    PLAN: {"queue": QUERIES},
    BY_CONTENT: {"queue": QUERIES},
    SEARCH: {"queue": QUERIES},
    COLLECTION: {"queue": QUERIES},
}
