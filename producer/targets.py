"""What this command's messages are for, and whether any worker is there for it: told before anything is enqueued."""

from pathlib import Path

from producer.stack import Stack
from settings import Settings
from settings.errors import WrongUse
from settings.sections import Models
from tasks.checkpoint import OCR_MODEL, asked, checkpoint_name, looks_like_a_folder
from tasks.messages import Target
from tasks.queues import COLLECTION_NAME


def target_here(settings: Settings, stack: Stack, held: str | None = None, captions: bool | None = None) -> Target:
    """The collection and the checkpoints that the settings name; without `captions` neither they nor text is wanted.

    By default they are, unless `ingest.captions` is "never".

    The stack of this machine needs the folders of its checkpoints; a command that only talks to workers elsewhere needs
    their names alone, and takes them from the workers, or from `held`, the CLIP model of the collection. Raises
    WrongUse where nobody knows the name.
    """
    has = [worker.has for worker in stack.workers()]
    models = settings.models
    wanted = settings.ingest.captions != "never" if captions is None else captions
    clip = _name("models.clip", models.clip, stack, [held, *(each.clip for each in has)])
    blip = _captioner(models, stack, [each.blip for each in has]) if wanted and models.captions else ""
    ocr = OCR_MODEL if wanted and models.ocr else ""
    return Target(COLLECTION_NAME, clip, blip, ocr)


def _captioner(models: Models, stack: Stack, known: list[str | None]) -> str:
    if models.caption_url:
        return asked(models.blip, models.caption_prompt)
    # What the workers tell is the whole name, with what they ask behind it.
    name = _name("models.blip", models.blip, stack, [each and each.partition("#")[0] for each in known])
    return asked(name, models.caption_prompt)


def _name(key: str, model: str, stack: Stack, known: list[str | None]) -> str:
    if stack.is_local or not looks_like_a_folder(model) or Path(model).is_dir():
        return checkpoint_name(model)
    names = sorted({name for name in known if name and name.rpartition("@")[0] == Path(model).name})
    if len(names) == 1:
        return names[0]
    raise WrongUse(
        f"The folder {model} is not on this machine, and "
        + (f"the workers have {' and '.join(names)}" if names else "no worker that lives has a checkpoint of that name")
        + f": set {key} to the name of a checkpoint as `python -m producer status` shows it, or start the GPU workers."
    )


def require_models(target: Target, stack: Stack) -> None:
    """Raise WrongUse when all workers that say which models they have, or will load, have others than the target's.

    Where none says so there is nothing to raise: GPU workers may come up later.
    """
    others = [(worker, target.mismatch(worker.node, worker.has)) for worker in stack.workers() if worker.has.clip]
    if others and all(reason for _, reason in others):
        # Of the GPU workers, if there are any: whoever reads it looks for the models there.
        raise WrongUse(next((reason for worker, reason in others if worker.name.startswith("gpu")), others[0][1]))


def require_collection(stack: Stack, who: str) -> None:
    """Raise WrongUse when no worker of the kind `who` lives for this collection, but some do for others."""
    if any(worker.name.startswith(who) for worker in stack.workers()):
        return
    others = [phrase for phrase in stack.foreign_workers() if phrase.startswith(who)]
    if others:
        raise WrongUse(
            f"No {who} worker of this release keeps the collection {COLLECTION_NAME!r} ({', '.join(others)}): set "
            f"qdrant.collection here to the same name, or start `python -m workers {who}` with these settings."
        )
