"""Patterns for cameras, lenses, formats and keywords: they become the values of the collection that match them."""

import fnmatch
import re
from collections.abc import Callable, Iterable
from dataclasses import replace

from settings.errors import WrongUse
from workers.storage.where import Condition, In, Like, Where
from workers.text import fold

# Cameras, lenses, formats and keywords have hundreds of values at most; with many more, patterns are refused.
MAX_VALUES = 20_000


def expand_patterns(where: Where | None, values: Callable[[str, int], Iterable[object]]) -> Where | None:
    """The same filter with every Like replaced by an In; `values(field, limit)` returns the values of a field.

    Raises WrongUse for a field with more than MAX_VALUES different values.
    """

    def expand(condition: Condition) -> Condition:
        if not isinstance(condition, Like):
            return condition
        known_values = list(values(condition.field, MAX_VALUES + 1))
        if len(known_values) > MAX_VALUES:
            raise WrongUse(f"{condition.field} has more than {MAX_VALUES:,} different values: too many for patterns.")
        pattern = re.compile("|".join(map(_expression, condition.patterns)))
        texts = [value for value in known_values if isinstance(value, str)]
        return In(condition.field, [text for text in texts if pattern.fullmatch(fold(text))])

    if where is None:
        return None
    return replace(
        where,
        all=[expand(condition) for condition in where.all],
        any=[expand(condition) for condition in where.any],
        none=[expand(condition) for condition in where.none],
    )


def _expression(pattern: str) -> str:
    # Names of lenses contain square brackets, so a bracket here matches itself.
    return fnmatch.translate(fold(pattern).replace("[", "[[]"))
