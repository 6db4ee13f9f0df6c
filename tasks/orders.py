"""The orders in which pictures can be listed by their facts: one rule for those who ask and for those who answer."""

import re
from collections.abc import Mapping
from typing import Any

# Of an order: the field of the payload, and what stands for a picture that has none, so that all can be compared.
ORDERS: dict[str, tuple[str, Any]] = {"taken": ("taken_at", ""), "name": ("name", ""), "bytes": ("bytes", 0)}
_ZONE = re.compile(r"(Z|[+-]\d\d:\d\d)$")


def place_in_order(payload: Mapping[str, Any], order: str, descending: bool) -> tuple[bool, Any, str]:
    """What tells the place of a picture in one of ORDERS: sorted by it, or sorted in reverse where `descending`.

    Pictures without the field come last either way; those that are equal go by their addresses.
    """
    field, nothing = ORDERS[order]
    value: Any = payload.get(field)
    is_known = isinstance(value, type(nothing))
    if not is_known:
        value = nothing
    elif field == "taken_at":
        # By the clock of the camera, as the calendar goes: most cameras know no zone.
        value = _ZONE.sub("", value)
    elif isinstance(value, str):
        value = value.casefold()
    # In a descending order the largest come first, and so does what has a value.
    return is_known if descending else not is_known, value, str(payload.get("uri"))
