"""A collection of another model made anew: what `ingest --rebuild` does before it ingests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from producer.formatting import command, shown
from producer.ingest.sources.roots import OtherRoot, root_uri
from producer.search.vectors import EMBED_SECONDS
from producer.stack import Stack
from producer.targets import target_here
from producer.waiting import wait_for
from settings import Settings
from settings.errors import WrongUse
from tasks.messages import Target
from tasks.queues import EMBED_TEXTS, FACET, REBUILD
from tasks.rpc import Question

REBUILD_SECONDS = 300.0
FOLDERS = 1000


def rebuild_collection(
    facts: dict[str, Any], roots: Sequence[Path | OtherRoot], settings: Settings, stack: Stack, console: Console
) -> None:
    """Remove the collection and make it anew for the CLIP model of the settings, unless it is that model's already.

    An ingest that is interrupted afterwards goes on like any other, with or without `--rebuild`. Raises WrongUse where
    the workers that run have another model loaded than the settings name: nothing is removed then.
    """
    wanted = target_here(settings, stack).clip
    held = facts["clip_model"]
    if held in (None, wanted):
        return
    # Asked before anything is removed: workers that were started under other settings would fill it with the old model.
    loaded = wait_for(Question(EMBED_TEXTS, texts=["a picture"]), stack, EMBED_SECONDS, "gpu")
    if loaded["clip_model"] != wanted:
        raise WrongUse(
            f"The workers that run have {loaded['clip_model']} loaded, not {wanted}: restart them with these settings, "
            "then rebuild. Nothing was removed."
        )
    others = [
        folder
        for folder, _ in wait_for(Question(FACET, field="root", limit=FOLDERS), stack, REBUILD_SECONDS, "storage")
        if folder not in map(root_uri, roots)
    ]
    rebuild = Question(REBUILD, Target(facts["name"], wanted), dim=loaded["dim"], clip_model=wanted)
    removed = wait_for(rebuild, stack, REBUILD_SECONDS, "storage")
    console.print(
        Text(f"Making the collection {facts['name']} anew for {wanted}: {removed:,} points of {held} are removed."),
        soft_wrap=True,
    )
    for folder in others:
        console.print(Text(f"It held {shown(folder)} as well: {command('ingest', shown(folder))}"), soft_wrap=True)
