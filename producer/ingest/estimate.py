"""How long the rest of an ingest takes, with captions and without, by what workers have measured of their models."""

from collections.abc import Iterable, Mapping

from tasks.messages import Target

# Who waits for less need not think about captions.
WORTH_SECONDS = 15 * 60


def estimate(speeds: Iterable[Mapping[str, float]], target: Target, left: int) -> str:
    """A sentence about `left` files; empty where no worker has measured both models yet, or it does not matter.

    `speeds` has for each worker the seconds that its models need for a picture, by the names of their checkpoints.
    """
    if not (target.clip and target.blip):
        return ""
    embed, caption = target.clip, target.blip
    both = [(each[embed], each[embed] + each[caption]) for each in speeds if embed in each and caption in each]
    if not both:
        return ""
    # Each worker takes as many files as it is fast.
    without, with_captions = (left / sum(1 / seconds for seconds in column) for column in zip(*both, strict=True))
    if with_captions - without < WORTH_SECONDS:
        return ""
    return (
        f"About {_rough(with_captions)} with captions, {_rough(without)} without. Captions may come later: stop, and "
        "ingest with --captions later; nothing is embedded twice."
    )


def _rough(seconds: float) -> str:
    """Seconds in words, no more exact than they are known: 40 min, 9 h, 3 days."""
    minutes = seconds / 60
    if minutes < 100:
        return f"{max(1, round(minutes))} min"
    hours = minutes / 60
    return f"{round(hours)} h" if hours < 48 else f"{round(hours / 24)} days"
