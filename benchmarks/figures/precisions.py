"""The precision that a model computes in, with how near the probe found its results to those of float32."""

import json
from pathlib import Path

from workers.inference.probe.fidelity import Fidelity
from workers.inference.probe.rows import Answer


def told(precision: str, fidelity: Fidelity) -> str:
    """As in "int8 (cosine 0.9978)", the worst one; the name alone where the probe was not asked."""
    return f"{precision} ({fidelity})" if str(fidelity) else precision


def kept_fidelity(folder: Path) -> Fidelity:
    """What the probe has kept about a CLIP in this folder of a stack; nothing where it was not asked."""
    for file in folder.glob("*.json"):
        kept = json.loads(file.read_text(encoding="utf-8"))
        if str(kept.get("key", {}).get("checkpoint")).startswith("clip "):
            return Answer.from_json(kept["answer"]).fidelity
    return Fidelity()
