"""Labels pictures with what they show, of a list of names, by their stored embeddings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from producer.collection.filled import filled_collection
from producer.console import progress
from producer.formatting import counted, is_text
from producer.search.least_score import least_score
from producer.search.query import AUTO, least_of
from producer.search.terms import Term
from producer.search.vectors import combined, embed_texts
from producer.stack import Stack
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import CONCEPTS, COUNTS
from tasks.rpc import Question

ANSWER_SECONDS = 120.0
# A page is one message and one batch of writes.
PAGE_POINTS = 512
MOST_NAMES, MOST_LETTERS = 1000, 100
# The vector of a name is the mean over these, as in CLIP's own measurements (Radford et al. 2021, section 3.1.4): it
# depends less on how a caption happens to be worded than one of them.
TEMPLATES = ("{}", "a photo of {}.", "a picture of {}.", "a close-up of {}.", "there is {} in the picture.")


@dataclass(frozen=True)
class Labelled:
    """`points` pictures were compared, `labelled` of them show something; name -> pictures in `counts`.

    `least` is the cosine similarity that a picture had to have.
    """

    points: int
    labelled: int
    least: float
    counts: dict[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


def names_of(text: str | Sequence[str]) -> list[str]:
    """The names in a text, separated by commas or lines, or in a file of that name; raises WrongUse for none."""
    if isinstance(text, str):
        file = Path(text)
        try:
            if "," not in text and file.is_file():
                text = file.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise WrongUse(f"{file} cannot be read: {error}.") from None
        text = text.replace("\n", ",").split(",")
    names = list(dict.fromkeys(name.strip() for name in text if name.strip()))
    if not names:
        raise WrongUse('Say what pictures may show: "cat, dog, receipt".')
    for name in names:
        if not is_text(name) or len(name) > MOST_LETTERS:
            raise WrongUse(f"{name[:40]!r} is no name: it is UTF-8 of at most {MOST_LETTERS} letters.")
    if len(names) > MOST_NAMES:
        raise WrongUse(f"At most {MOST_NAMES:,} names at a time, not {len(names):,}.")
    return names


def label(
    names: list[str],
    templates: Sequence[str],
    min_score: float | str,
    most: int,
    where: dict[str, Any] | None,
    dry_run: bool,
    stack: Stack,
    console: Console,
) -> Labelled:
    """Compare every picture that `where` fits with the names, and note what it shows; with `dry_run` count alone.

    Raises WrongUse for a template without {} and for an empty collection.
    """
    if wrong := [template for template in templates if "{}" not in template]:
        raise WrongUse(f"The template {wrong[0]!r} has no {{}} in the place of the name.")
    given = least_of(min_score, "meaning", has_terms=True)
    facts = filled_collection(stack)
    texts = [template.replace("{}", name) for name in names for template in templates]
    made = embed_texts(texts, facts["clip_model"], stack).vectors
    size, weights = len(templates), [1.0] * len(templates)
    vectors = [combined(weights, made[start : start + size]) for start in range(0, len(made), size)]
    least = least_score([Term(1.0, words=names[0])], facts, stack) if given == AUTO or given is None else given
    (total,) = wait_for(Question(COUNTS, wheres=[where]), stack, ANSWER_SECONDS, "storage")
    counts = dict.fromkeys(names, 0)
    points = labelled = 0
    after: str | None = None
    with progress(console) as bar:
        task = bar.add_task("labelling", total=total)
        while True:
            question = Question(
                CONCEPTS,
                names=names,
                vectors=b"".join(vectors),
                least=least,
                most=most,
                where=where,
                limit=PAGE_POINTS,
                after=after,
                write=not dry_run,
            )
            page = wait_for(question, stack, ANSWER_SECONDS, "storage")
            points, labelled = points + page["points"], labelled + page["labelled"]
            for name, count in page["counts"].items():
                counts[name] += count
            bar.advance(task, page["points"])
            after = page["next"]
            if after is None:
                return Labelled(points, labelled, least, counts)


def summary(found: Labelled, dry_run: bool) -> str:
    """What was done, in a sentence."""
    done = "would be labelled; nothing was written" if dry_run else "labelled"
    return (
        f"{found.labelled:,} of {counted(found.points, 'picture')} {done} (similarity of at least {found.least:.3f})."
    )
