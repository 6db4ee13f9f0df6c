"""Why a checkpoint could not be loaded, as a sentence that says what to do."""

from pathlib import Path

from tasks.checkpoint import looks_like_a_folder
from tasks.errors import DarkroomError, ServiceMissing, WrongUse

SHIPPED = (
    "the small checkpoints models/shapes-clip and models/shapes-blip ship with Darkroom, but know coloured shapes only"
)

# The names of what the hub's client and its HTTP library raise when nobody answers.
_AWAY = {
    "LocalEntryNotFoundError",
    "OfflineModeIsEnabled",
    "ConnectError",
    "ConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "TransportError",
}


def explain(setting: str, model: str, error: BaseException) -> DarkroomError:
    """The error for the person who set `setting` to `model`; `error` is what the Hugging Face loader raised."""
    if isinstance(error, DarkroomError):
        return error
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        chain.append(link)
        link = link.__cause__ or link.__context__
    names = {kind.__name__ for seen in chain for kind in type(seen).__mro__}
    if Path(model).is_dir():
        return WrongUse(f"The checkpoint in {model} ({setting}) cannot be loaded: {_first_line(error)}")
    if looks_like_a_folder(model):
        return WrongUse(f"{setting} = {model!r}: there is no such folder.")
    if names & {"RepositoryNotFoundError", "HFValidationError", "GatedRepoError"}:
        return WrongUse(f"The Hugging Face hub has no model {model!r} for you ({setting}): check its name or log in.")
    if names & _AWAY:
        return ServiceMissing(
            f"The model {model!r} ({setting}) is not on this machine and the Hugging Face hub cannot be reached: "
            f"connect once so that it is cached, or set {setting} to a local folder ({SHIPPED})."
        )
    if names & {"ValueError", "RemoteEntryNotFoundError"}:
        return WrongUse(
            f"The model {model!r} ({setting}) is on the Hugging Face hub but unusable: {_first_line(error)}"
        )
    return ServiceMissing(f"The model {model!r} ({setting}) could not be loaded: {_first_line(error)}")


def check_kind(setting: str, model: str, found: str, wanted: str) -> None:
    """Raise WrongUse when a checkpoint is of another architecture than the one it was named for."""
    if found != wanted:
        raise WrongUse(f"{setting} = {model!r} is a {found!r} checkpoint; a {wanted!r} one is needed there.")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
