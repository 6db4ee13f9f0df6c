"""What is asked of the collection, read and checked before any worker hears of it."""

import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pictures.uris import point_id, uri_of
from producer.collection.where import parse_conditions
from producer.ingest.sources.named_folder import absolute
from producer.search.pictures import PictureFile, open_picture
from producer.search.terms import Term, checked, terms_of
from settings.errors import WrongUse
from tasks.orders import ORDERS

SORTS = ("score", *ORDERS)
# By what pictures are ranked: their embeddings, the words of their texts, or both.
By = Literal["meaning", "words", "both"]
RANKINGS: tuple[By, ...] = ("meaning", "words", "both")
AUTO: Literal["auto"] = "auto"


@dataclass(frozen=True)
class Query:
    """What to look for: terms or none, and a filter that must hold.

    `order` is one of SORTS, None for the one that the answer has by itself; the first `offset` results are left out.
    The points with the ids `hidden` are never results. `least` is the cosine similarity that a result must
    have, or AUTO. `fields` names the facts that are wanted of each, None for all.
    """

    terms: tuple[Term, ...]
    where: dict[str, Any] | None
    limit: int
    hidden: tuple[str, ...] = ()
    order: str | None = None
    descending: bool = False
    offset: int = 0
    by: By = "both"
    least: float | Literal["auto"] | None = None
    fields: tuple[str, ...] | None = None

    @property
    def words(self) -> list[Term]:
        """The terms that are words."""
        return [term for term in self.terms if term.words is not None]

    @property
    def picture(self) -> PictureFile | None:
        """The picture that is searched by, where it is the whole question."""
        return self.terms[0].picture if len(self.terms) == 1 else None


@dataclass(frozen=True)
class Asked:
    """What a caller may ask beside the terms themselves; see `Darkroom.search`."""

    where: str | Sequence[str] = ()
    limit: int = 10
    sort: str | None = None
    offset: int = 0
    by: str = "both"
    min_score: float | str | None = None
    # Whether a term of the text may name a picture of this machine: not where the text comes from elsewhere.
    files: bool = True


def query_of(text: str | None, images: Sequence[Path], like: Sequence[str], asked: Asked) -> Query:
    """A query by words, pictures and points together, or by conditions alone.

    Raises WrongUse for no words, and for an order, a ranking, a condition or a picture that cannot be read.
    """
    terms = [] if text is None else terms_of(text, asked.files)
    terms += [Term(1.0, picture=open_picture(image)) for image in images]
    points = [point_named(name, asked.files) for name in like]
    terms += [Term(1.0, point=point) for point in points]
    order = None if asked.sort is None else asked.sort.removeprefix("-")
    if order is not None and order not in SORTS:
        raise WrongUse(f"{asked.sort!r} is no order: take {', '.join(SORTS)}, with a - before it for the reverse.")
    if order == "score" and not terms:
        raise WrongUse("Facts alone have no score: sort by taken, name or bytes, or give words or a picture.")
    by = next((ranking for ranking in RANKINGS if ranking == asked.by), None)
    if by is None:
        raise WrongUse(f"{asked.by!r} is no ranking: take {', '.join(RANKINGS)}.")
    if by == "words" and (not terms or any(term.words is None for term in terms)):
        raise WrongUse("A picture has no words: rank by meaning or by both, or ask by words alone.")
    where = parse_conditions(asked.where)
    if not terms and where is None:
        raise WrongUse("Say what to search for: words, a picture or a condition.")
    return Query(
        checked(terms),
        where,
        asked.limit,
        tuple(points),
        order,
        order != asked.sort,
        asked.offset,
        by,
        least_of(asked.min_score, by, bool(terms)),
    )


def point_named(name: str, files: bool) -> str:
    """The id of a point by its id or its address, and with `files` by its path; nobody has looked whether it exists."""
    if re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", name):
        return name.lower()
    if "://" in name or not files:
        return point_id(name)
    return point_id(uri_of(os.fsencode(absolute(Path(name)))))


def least_of(given: float | str | None, by: str, has_terms: bool) -> float | Literal["auto"] | None:
    """The least score that was given: a number from -1 to 1, or AUTO; raises WrongUse for any other."""
    if given is None:
        return None
    if not has_terms or by == "words":
        raise WrongUse("A least score is a similarity of embeddings: give words or a picture, and not --by words.")
    if given == "auto":
        return AUTO
    try:
        number = float(given)
    except ValueError:
        number = math.nan
    if not -1 <= number <= 1:
        raise WrongUse(f"The least score is {AUTO} or a number from -1 to 1, like 0.25, not {given!r}.")
    return number


def similar_query(file: Path, conditions: str | Sequence[str], limit: int, copies: bool) -> Query:
    """A query for pictures like a file, never the file itself, and byte-identical copies only with `copies`.

    Raises WrongUse for a condition or a picture that cannot be read.
    """
    where = parse_conditions(conditions)
    picture = open_picture(file)
    where = where if copies else without_copies(where, picture.sha256)
    return Query((Term(1.0, picture=picture),), where, limit, (point_id(picture.uri),))


def without_copies(where: dict[str, Any] | None, sha256: str) -> dict[str, Any]:
    """The filter that also leaves out pictures with these bytes."""
    where = where or {}
    return {**where, "none": [*where.get("none", []), {"field": "sha256", "is": sha256}]}
