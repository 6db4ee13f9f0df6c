"""The command `bench-models`: the precisions of the models of the settings on this machine, as the probe sees them."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from settings import Settings, load_settings
from settings.errors import WrongUse
from settings.extras import require
from tasks.checkpoint import null_model

if TYPE_CHECKING:
    from workers.inference.probe.rows import Row


@click.command("bench-models")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def bench_models(as_json: bool) -> None:
    """Measure the models of the settings on this machine's CPU in every precision, and compare the results.

    \b
    Each model is loaded and computes built-in pictures; nothing is stored.
    ms: of one picture in a batch. median, worst: centred cosines to float32; same: captions, word for word.
    It takes minutes for large models. Only what is at least 15 % faster than float32 is compared.
    Example: darkroom bench-models
    Exit code: 0 measured, 2 there is nothing to measure, 3 a package or the hub is missing.
    """
    settings = load_settings()
    for package in ("torch", "transformers"):
        require(package, "gpu", f"bench-models needs {package}")
    found: dict[str, list[Row]] = {}
    for name, rows in _measured(settings):
        found[name] = rows
        if not as_json:
            _show(name, rows)
    if as_json:
        models = [{"model": name, "precisions": [row.as_json() for row in rows]} for name, rows in found.items()]
        click.echo(json.dumps({**_machine(settings), "models": models}))


def _measured(settings: Settings) -> Iterator[tuple[str, "list[Row]"]]:
    import torch
    from transformers.utils import logging as transformers_logging

    from workers.inference.captioners.blip import LoadedBlip
    from workers.inference.captioners.captioner import checkpoint_captioner
    from workers.inference.embedders.embedder import Embedder
    from workers.inference.hardware import batch_sizes, parallel_batches

    if null_model(settings.models.clip) is not None:
        raise WrongUse(f'models.clip = "{settings.models.clip}" computes nothing: name a checkpoint.')
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    device = torch.device("cpu")
    parts, threads = parallel_batches(settings, "cpu")
    batch_clip, batch_blip = batch_sizes(settings, "cpu")
    torch.set_num_threads(threads)
    embedder = Embedder(settings.models.clip, device, "float32", batch_clip, parts)
    yield embedder.name, embedder.vision().candidates()
    models = settings.models
    if not models.captions or models.caption_url:
        return
    captioner = checkpoint_captioner(
        models.blip, device, "float32", batch_blip, models.max_caption_tokens, parts, prompt=models.caption_prompt
    )
    loaded = captioner.loaded()
    if isinstance(loaded, LoadedBlip):  # the probe knows no other family
        yield captioner.name, loaded.candidates()


def _machine(settings: Settings) -> dict[str, Any]:
    from workers.inference.hardware import parallel_batches
    from workers.inference.probe.kept import processor

    parts, threads = parallel_batches(settings, "cpu")
    return {"processor": processor(), "parts": parts, "threads_of_a_part": threads}


def _show(name: str, rows: "list[Row]") -> None:
    """A table of at most 80 columns; `ms` are those of a picture in a batch, on the threads of one part of it."""
    click.echo(name)
    click.echo(f"  {'precision':<24} {'ms':>7} {'median':>7} {'worst':>7} {'same':>5}  taken")
    for row in rows:
        milliseconds = "" if row.milliseconds is None else f"{row.milliseconds:.1f}"
        median, worst = ("" if value is None else f"{value:.4f}" for value in (row.fidelity.median, row.fidelity.worst))
        same = "" if row.fidelity.same is None else f"{row.fidelity.same:.0%}"
        click.echo(f"  {row.precision:<24} {milliseconds:>7} {median:>7} {worst:>7} {same:>5}  {_verdict(row)}")


def _verdict(row: "Row") -> str:
    """Whether a precision is taken or why not, in the words that the columns beside it leave open."""
    if row.state == "taken":
        return "yes"
    if row.fidelity.fault:
        return "not near enough"
    return next((word for word in ("slower", "it fails") if row.state.startswith(word)), row.state)
