"""What a collection is that commands look at: one that holds pictures, and not more than its home is good for."""

from typing import Any

from producer.formatting import command
from producer.stack import Stack
from producer.waiting import collection_facts
from settings.errors import WrongUse

# So many points cost the storage worker about 8 GB of memory of its own, and each search compares all of them.
MANY_POINTS = 2_000_000


def too_many_for_embedded(points: int, qdrant_url: str) -> str:
    """The sentence that names a server where an embedded collection has more than MANY_POINTS; "" otherwise."""
    if qdrant_url != "embedded" or points <= MANY_POINTS:
        return ""
    move = command("move", "--to", "http://HOST:6333")
    return f"{points:,} points are many for the embedded catalog, a Qdrant server has room for them: `{move}`."


def filled_collection(stack: Stack) -> dict[str, Any]:
    """Name, model and size of the collection; raises WrongUse where it is empty."""
    facts = collection_facts(stack)
    if not facts["points"]:
        raise WrongUse(f"The collection {facts['name']!r} is empty: fill it with `python -m producer ingest DIR`.")
    return facts
