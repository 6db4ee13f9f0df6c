"""Which picture of a group is the one to keep: the rules, in the order in which they are given."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pictures.formats import RAW_KINDS
from settings.errors import WrongUse

Facts = Mapping[str, Any]
# From what holds most of the picture to what holds least.
_LOSSLESS = frozenset({"TIFF", "PNG", "BMP", "PSD"})
_MODERN = frozenset({"HEIF", "AVIF", "JXL", "WEBP"})
FOLDER = "folder:"


def _format_rank(facts: Facts) -> int:
    kind = facts.get("format")
    return next((rank for rank, kinds in enumerate((RAW_KINDS, _LOSSLESS, _MODERN)) if kind in kinds), 3)


# The smallest comes first.
_RULES: dict[str, Callable[[Facts], Any]] = {
    "largest": lambda facts: (-(facts.get("width") or 0) * (facts.get("height") or 0), -(facts.get("bytes") or 0)),
    "oldest": lambda facts: (facts.get("taken_at") or "9999", facts.get("mtime") or 0),
    "format": _format_rank,
}
RULES = tuple(_RULES)


def kept_first(group: Sequence[dict[str, Any]], rules: Sequence[str]) -> list[dict[str, Any]]:
    """The pictures of a group, the one to keep first; what is equal by all rules goes by its address.

    A rule is one of RULES, or "folder:" and the address of a folder whose pictures are preferred. Raises WrongUse for
    any other.
    """
    keys = [_key(rule) for rule in rules]
    return sorted(group, key=lambda facts: (*(key(facts) for key in keys), facts["uri"]))


def _key(rule: str) -> Callable[[Facts], Any]:
    if rule.startswith(FOLDER):
        start = rule.removeprefix(FOLDER)
        return lambda facts: not facts["uri"].startswith(start)
    if rule not in _RULES:
        raise WrongUse(f"{rule!r} is no rule: take {', '.join(RULES)} or a folder.")
    return _RULES[rule]
