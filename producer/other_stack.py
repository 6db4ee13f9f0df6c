"""A stack that runs with other settings than a command has: it makes way, serves all the same, or cannot."""

from settings import Settings
from settings.errors import WrongUse
from tasks.messages import SCHEMA
from tasks.stack.paths import StackPaths
from tasks.stack.record import StackRecord, end_if_idle, read_record, settings_key


def make_way(local: StackPaths, settings: Settings) -> None:
    """End a stack that nobody uses and that has other settings than this command: it would do other things.

    Raises WrongUse where such a stack is used, or stays until it is told to go, and cannot serve this command.
    """
    record = read_record(local)
    if record is None or record.settings == settings_key(settings):
        return
    if record.stays or not end_if_idle(local, record):
        require_fit(record, local, settings)


def require_fit(record: StackRecord, local: StackPaths, settings: Settings) -> None:
    """Raise WrongUse where the stack cannot serve a command with these settings."""
    stack = f"The stack that runs on {local.data} (process {record.pid})"
    stop = "stop it first by `python -m workers down`."
    if record.release != SCHEMA:
        raise WrongUse(f"{stack} is of another release: {stop}")
    collection = settings.qdrant.collection
    if record.collection != collection:
        raise WrongUse(
            f"{stack} keeps the collection {record.collection!r}, not {collection!r}: set qdrant.collection to that "
            f"name, or {stop}"
        )
