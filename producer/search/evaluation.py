"""How well a collection is searched: captions that people wrote against the pictures that they wrote them of."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pictures.uris import uri_of
from producer.collection.where import parse_conditions
from producer.console import progress
from producer.formatting import counted
from producer.ingest.sources.named_folder import absolute
from producer.search.query import RANKINGS, By, Query
from producer.search.search import search_all
from producer.search.terms import Term
from producer.stack import Stack
from producer.table import Cell, Column, print_records
from producer.waiting import wait_for
from settings.errors import WrongUse
from tasks.queues import COUNTS, FACTS
from tasks.rpc import Question

ANSWER_SECONDS = 60.0
# So far down a list is looked for the picture; one that is not there has the rank behind it.
MOST = 1000
QUERIES_AT_ONCE = 50
FACTS_AT_ONCE = 500
DEFAULT_FILE = "metadata.jsonl"


@dataclass(frozen=True)
class Measures:
    """Of one ranking: the shares of captions whose picture came first, among the first 5 and 10, and its mean rank."""

    recall_at_1: float
    recall_at_5: float
    recall_at_10: float
    mean_rank: float


@dataclass(frozen=True)
class Evaluation:
    """`queries` captions were asked for among `pictures` pictures; ranking -> its `measures`.

    `missing` captions are of pictures that the collection does not hold; they were not asked for.
    """

    queries: int
    pictures: int
    missing: int
    measures: dict[str, Measures]

    def to_dict(self) -> dict[str, Any]:
        """The fields by their names."""
        return asdict(self)


Pairs = list[tuple[str, str]]


def pairs_of(folder: Path, captions: Path | None) -> tuple[Pairs, dict[str, Any] | None]:
    """The address of each picture with its caption, and the filter of the folder.

    Raises WrongUse for a file that cannot be read, and for a line that is none of a picture with its caption.
    """
    root = absolute(folder)
    if not root.is_dir():
        raise WrongUse(f"There is no folder {folder}.")
    file = root / DEFAULT_FILE if captions is None else absolute(captions)
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise WrongUse(
            f'There is no file {file}: give one by --captions, with lines like {{"file": "a.jpg", "caption": "a dog"}}.'
        ) from None
    except (OSError, ValueError) as error:
        raise WrongUse(f"{file} cannot be read: {error}.") from None
    pairs = [_pair(line, root, f"{file}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not pairs:
        raise WrongUse(f"{file} has no captions.")
    return pairs, parse_conditions(f"root={root}")


def _pair(line: str, root: Path, where: str) -> tuple[str, str]:
    try:
        fields = json.loads(line)
        name = next(fields[key] for key in ("file", "file_name") if key in fields)
        caption = next(fields[key] for key in ("caption", "text") if key in fields)
    except (ValueError, TypeError, StopIteration):
        name = caption = None
    if not isinstance(name, str) or not isinstance(caption, str) or not caption.strip():
        raise WrongUse(f'{where} is not like {{"file": "a.jpg", "caption": "a dog"}}.')
    return uri_of(os.fsencode(os.path.normpath(root / name))), caption


def evaluate(pairs: Pairs, where: dict[str, Any] | None, stack: Stack, console: Console) -> Evaluation:
    """Ask for each caption by every ranking; raises WrongUse where none of the pictures is in the collection."""
    held = [
        pair for start in range(0, len(pairs), FACTS_AT_ONCE) for pair in _held(pairs[start:][:FACTS_AT_ONCE], stack)
    ]
    if not held:
        raise WrongUse("The collection holds none of these pictures: ingest the folder first.")
    (pictures,) = wait_for(Question(COUNTS, wheres=[where]), stack, ANSWER_SECONDS, "storage")
    with progress(console) as bar:
        task = bar.add_task("asking", total=len(held) * len(RANKINGS))
        ranks: dict[str, list[int]] = {ranking: [] for ranking in RANKINGS}
        for start in range(0, len(held), QUERIES_AT_ONCE):
            for ranking in RANKINGS:
                some = held[start : start + QUERIES_AT_ONCE]
                ranks[ranking] += _ranks(some, ranking, where, min(MOST, pictures), stack)
                bar.advance(task, len(some))
    measures = {ranking: _measures(found) for ranking, found in ranks.items()}
    return Evaluation(len(held), pictures, len(pairs) - len(held), measures)


def _held(pairs: Pairs, stack: Stack) -> Pairs:
    question = Question(FACTS, uris=[uri for uri, _ in pairs], fields=["uri"])
    found = wait_for(question, stack, ANSWER_SECONDS, "storage")
    return [pair for pair, facts in zip(pairs, found, strict=True) if facts is not None]


def _ranks(pairs: Pairs, by: By, where: dict[str, Any] | None, limit: int, stack: Stack) -> list[int]:
    """The rank of each picture among the answers to its caption, from 1 on."""
    queries = [Query((Term(1.0, words=text),), where, limit, by=by, fields=("uri",)) for _, text in pairs]
    answers = search_all(queries, stack)
    return [
        next((rank for rank, picture in enumerate(answer, 1) if picture.uri == uri), limit + 1)
        for (uri, _), answer in zip(pairs, answers, strict=True)
    ]


def _measures(ranks: Sequence[int]) -> Measures:
    first, five, ten = (sum(rank <= most for rank in ranks) / len(ranks) for most in (1, 5, 10))
    return Measures(first, five, ten, sum(ranks) / len(ranks))


COLUMNS = (Column("by"), *(Column(name, is_number=True) for name in ("R@1", "R@5", "R@10", "mean rank")))


def print_evaluation(found: Evaluation, console: Console) -> None:
    """A record for each ranking."""
    rows = []
    for ranking, own in found.measures.items():
        recalls = (own.recall_at_1, own.recall_at_5, own.recall_at_10)
        rows.append([Cell(ranking), *(Cell(f"{each:.3f}") for each in recalls), Cell(f"{own.mean_rank:.1f}")])
    print_records(console, COLUMNS, rows)


def summary(found: Evaluation) -> str:
    """What was asked, in a sentence."""
    missing = f"; {found.missing:,} more are of pictures that the collection does not hold" if found.missing else ""
    return f"{counted(found.queries, 'caption')} asked for among {counted(found.pictures, 'picture')}{missing}."
