"""How much of what the machine can do the pipeline gets: shares of the bare loop and of the bare device."""

from typing import Any

TITLES = (
    "figure", "precision", "pipeline", "bare loop", "share of the bare loop", "bare device", "share of the bare device",
)  # fmt: skip


def shares(results: dict[str, dict[str, Any]]) -> list[list[str]]:
    """The rows of the table, titles first: every figure that knows its bare device."""
    rows = [list(TITLES)]
    for name, facts in results.items():
        device = facts.get("detail", {}).get("device")
        if not device or "baseline" not in facts:
            continue
        ours, loop, unit = facts["ours"], facts["baseline"], facts["rate_unit"]
        precision = facts.get("precisions", "").partition(" / ")[0]
        rates = [f"{rate:.3g} {unit}" for rate in (ours, loop, device)]
        rows.append([name, precision, rates[0], rates[1], f"{facts['value']:.1%}", rates[2], f"{ours / device:.1%}"])
    return rows
