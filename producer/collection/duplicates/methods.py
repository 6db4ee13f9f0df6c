"""The methods of the Python client that find duplicates, and move what is there more than once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from producer.session import Session
from settings.errors import WrongUse

if TYPE_CHECKING:
    from producer.collection.duplicates.others import Movement
    from producer.collection.duplicates.search import Duplicates
    from producer.search.methods import Conditions


class DuplicateMethods(Session):
    """See Darkroom."""

    def duplicates(
        self,
        near: float | None = None,
        *,
        where: Conditions = (),
        limit: int | None = None,
        linkage: str = "complete",
        keep: Sequence[str] = (),
    ) -> Duplicates:
        """The pictures that are there more than once, in groups: with the same bytes, or with `near` looking the same.

        `near` is the least cosine similarity, above 0 and up to 1, like 0.95; `limit` is how many groups, None for all.
        It holds for every pair of a group, with `linkage` "average" for their mean, with "single" for chains of
        pictures. `keep` are rules for the first of a group: "largest", "oldest", "format", folders.
        """
        from producer.collection.duplicates.search import LINKAGES, duplicates, keep_rules
        from producer.collection.where import parse_conditions

        if near is not None and not 0 < near <= 1:
            raise WrongUse(f"near is a cosine similarity above 0 and up to 1, not {near:g}.")
        if linkage not in LINKAGES:
            raise WrongUse(f"{linkage!r} is no linkage: take {', '.join(LINKAGES)}.")
        rules, conditions = keep_rules(keep), parse_conditions(where)
        with self._stack() as stack:
            return duplicates(near, conditions, limit, linkage, rules, stack, self.console)

    def move_others(
        self, found: Duplicates, folder: str | Path, *, bursts: bool = False, dry_run: bool = False
    ) -> Movement:
        """Move all but the first of each group into a folder, and take them out of the collection.

        Pictures of bursts only with `bursts`; RAW files stay beside the picture that is kept. Nothing is written over;
        `undo_move` moves back what the list `undo` of the answer names.
        """
        from producer.collection.duplicates.others import move_others, others

        same_bytes = all(len({picture.payload.get("sha256") for picture in group}) == 1 for group in found.groups)
        with self._stack() as stack:
            return move_others(others(found, bursts), Path(folder), dry_run, same_bytes, stack)

    def undo_move(self, file: str | Path) -> Movement:
        """Move back the files that a list of `move_others` names; the next ingest takes them in again."""
        from producer.collection.duplicates.others import undo

        return undo(Path(file))
