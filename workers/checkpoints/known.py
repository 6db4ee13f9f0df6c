"""The checkpoints that are known to have the form that Darkroom loads; others of the same form work as well."""

from typing import Literal, NamedTuple

from settings.embedder import DEFAULT, FORMER

Kind = Literal["clip", "blip"]


class Known(NamedTuple):
    """A checkpoint: its id on the hub, its kind, the megabytes of its weights, and the languages that it knows."""

    name: str
    kind: Kind
    megabytes: int
    languages: str


# The default of each kind comes first. The megabytes are what the hub says of each, and for those that are no CLIP or
# BLIP four bytes for each weight of the model's shape.
KNOWN = (
    Known(DEFAULT, "clip", 605, "English"),
    Known("google/siglip2-base-patch32-256", "clip", 1507, "many"),
    Known("google/siglip2-base-patch16-224", "clip", 1501, "many"),
    Known("OFA-Sys/chinese-clip-vit-base-patch16", "clip", 753, "Chinese"),
    Known(FORMER, "clip", 605, "English"),
    Known("openai/clip-vit-base-patch16", "clip", 599, "English"),
    Known("openai/clip-vit-large-patch14", "clip", 1711, "English"),
    Known("openai/clip-vit-large-patch14-336", "clip", 1711, "English"),
    Known("laion/CLIP-ViT-H-14-laion2B-s32B-b79K", "clip", 3945, "English"),
    Known("Salesforce/blip-image-captioning-base", "blip", 990, "English"),
    Known("Salesforce/blip-image-captioning-large", "blip", 1879, "English"),
)
