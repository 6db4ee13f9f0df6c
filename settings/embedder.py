"""Which embedder `models.clip = "auto"` is: the one that the collection was made with, or the default."""

import json
from pathlib import Path

AUTO = "auto"
DEFAULT = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
# The default of releases before; of the same shape, and it finds less (docs/models.md).
FORMER = "openai/clip-vit-base-patch32"


def embedder_of(collection: Path) -> str:
    """The embedder for the embedded collection in this folder, whether it exists or not.

    A collection goes on with the checkpoint of the hub that it was made with. One that was made with a local folder
    needs that folder named, for its name does not tell where it lies.
    """
    try:
        made_with = json.loads((collection / "about.json").read_text(encoding="utf-8"))["clip_model"]
    except (OSError, ValueError, KeyError, TypeError):
        return DEFAULT
    return made_with if isinstance(made_with, str) and made_with.count("/") == 1 and "@" not in made_with else DEFAULT
