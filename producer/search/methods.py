"""The methods of the Python client that search."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from producer.session import Session

if TYPE_CHECKING:
    from producer.collection.concepts import Labelled
    from producer.search.evaluation import Evaluation
    from producer.search.search import SearchResult

Conditions = str | Sequence[str]


class SearchMethods(Session):
    """See Darkroom."""

    def search(
        self,
        text: str | None = None,
        *,
        image: str | Path | Sequence[str | Path] | None = None,
        like: str | Sequence[str] = (),
        where: Conditions = (),
        limit: int = 10,
        sort: str | None = None,
        offset: int = 0,
        by: str = "both",
        min_score: float | str | None = None,
        files: bool = True,
    ) -> SearchResult:
        """The pictures that fit words, pictures or both best; with neither, those that `where` fits.

        `text` may have several terms: "beach + dog - people", with weights as in "2:dog", and pictures as in
        "./pool.jpg + night" (unless `files` is False). `image` adds one picture or more, `like` points of the
        collection by their ids, which are then no results. `where` is a condition like "taken>=2024-06", or several
        that must all hold. `sort` is "taken", "name", "bytes" or "score", in reverse with a - before it; the first
        `offset` results are left out. `by` is "meaning" (embeddings), "words" (of captions, titles, keywords and names)
        or "both". Results below `min_score` are left out; "auto" is what unrelated pairs of this collection hardly
        ever reach (docs/search.md).
        """
        from producer.search.query import Asked, query_of
        from producer.search.search import search

        asked = Asked(where, limit, sort, offset, by, min_score, files)
        images = [image] if isinstance(image, str | Path) else image or ()
        points = [like] if isinstance(like, str) else like
        query = query_of(text, [Path(each) for each in images], points, asked)
        with self._stack() as stack:
            return search(query, stack)

    def search_all(
        self,
        texts: Sequence[str],
        *,
        where: Conditions = (),
        limit: int = 10,
        by: str = "both",
        min_score: float | str | None = None,
        files: bool = True,
    ) -> list[SearchResult]:
        """The answers to several questions at once, in their order; each is a text as `search` takes it."""
        from producer.search.query import Asked, query_of
        from producer.search.search import search_all

        asked = Asked(where, limit, by=by, min_score=min_score, files=files)
        queries = [query_of(text, (), (), asked) for text in texts]
        with self._stack() as stack:
            return search_all(queries, stack) if queries else []

    def evaluate(self, directory: str | Path, captions: str | Path | None = None) -> Evaluation:
        """How well this collection is searched: each caption of a file against all pictures of a folder.

        `captions` is a file of JSON lines, each with the name of a picture ("file" or "file_name") and a "caption" or
        "text"; by default metadata.jsonl in the folder. The folder must have been ingested.
        """
        from producer.search.evaluation import evaluate, pairs_of

        pairs, where = pairs_of(Path(directory), None if captions is None else Path(captions))
        with self._stack() as stack:
            return evaluate(pairs, where, stack, self.console)

    def label(
        self,
        names: str | Sequence[str],
        *,
        where: Conditions = (),
        min_score: float | str = "auto",
        most: int = 3,
        templates: Sequence[str] | None = None,
        dry_run: bool = False,
    ) -> Labelled:
        """Note which of these names each picture shows, by the stored embeddings: in `concepts`, best first.

        `names` is a list, a text with commas or the name of a file. A picture has at most `most` of them, those with a
        similarity of at least `min_score`. `templates` are texts with {} for the name, over which vectors are averaged.
        """
        from producer.collection.concepts import TEMPLATES, label, names_of
        from producer.collection.where import parse_conditions

        chosen, conditions = names_of(names), parse_conditions(where)
        with self._stack() as stack:
            return label(chosen, templates or TEMPLATES, min_score, most, conditions, dry_run, stack, self.console)

    def similar(
        self, file: str | Path, *, where: Conditions = (), limit: int = 10, copies: bool = False
    ) -> SearchResult:
        """The pictures that look most like a file, which need not be in the collection; the file itself is never one.

        Byte-identical copies of it only with `copies`.
        """
        from producer.search.query import similar_query
        from producer.search.search import search

        query = similar_query(Path(file), where, limit, copies)
        with self._stack() as stack:
            return search(query, stack)

    def similar_to(
        self, id: str, *, where: Conditions = (), limit: int = 10, offset: int = 0, copies: bool = False
    ) -> SearchResult:
        """The pictures that look most like a point of the collection, without it; copies of it only with `copies`."""
        from producer.search.search import similar_to

        with self._stack() as stack:
            return similar_to(id, where, limit, offset, copies, stack)
