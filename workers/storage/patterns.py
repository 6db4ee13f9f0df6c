"""Turns patterns in a filter into the values that match them, for the engine itself knows exact values only."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from tasks.errors import WrongUse
from workers.storage.where import Condition, In, Like, Where

# Cameras, lenses, formats and keywords have tens or hundreds of values; what has many more is no field for patterns.
MOST_VALUES = 20_000


def spelled_out(where: Where | None, values: Callable[[str, int], Iterable[object]]) -> Where | None:
    """The same filter with every Like as an In; `values(field, limit)` gives the values that a field has.

    Raises WrongUse for a field of more than MOST_VALUES different values.
    """

    def exact(condition: Condition) -> Condition:
        if not isinstance(condition, Like):
            return condition
        known = list(values(condition.field, MOST_VALUES + 1))
        if len(known) > MOST_VALUES:
            raise WrongUse(f"{condition.field} has more than {MOST_VALUES:,} different values: too many for patterns.")
        pattern = re.compile("|".join(map(_expression, condition.patterns)))
        texts = [each for each in known if isinstance(each, str)]
        return In(condition.field, [text for text in texts if pattern.fullmatch(text.casefold())])

    if where is None:
        return None
    return replace(
        where,
        all=[exact(each) for each in where.all],
        any=[exact(each) for each in where.any],
        none=[exact(each) for each in where.none],
    )


def _expression(pattern: str) -> str:
    # Square brackets stand in the names of lenses, so here they are ordinary letters.
    return fnmatch.translate(pattern.casefold().replace("[", "[[]"))
