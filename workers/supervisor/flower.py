"""Flower, the web page that shows workers and tasks, as a supervised child."""

import os

from settings import Settings
from settings.child_commands import child_command
from settings.errors import WrongUse
from settings.listening import is_loopback, require_free
from tasks.stack.paths import StackPaths
from workers.supervisor.processes import ChildSpec

# A file is known by its name among the arguments, and a job by how far it is.
COLUMNS = "name,args,state,result,exception,received"
SAVE_MILLISECONDS = 60_000
PORT_TAKEN = "free the port, or choose another one by --port or flower.port."


def flower_spec(settings: Settings, port: int) -> ChildSpec:
    """Flower on `flower.address` and `port`.

    Raises WrongUse when it would be open to other machines without a password, ServiceMissing when the port is taken.
    """
    require_password(settings)
    require_free("Flower", settings.flower.address, port, PORT_TAKEN)
    return ChildSpec("flower", child_command("workers", "flower", "--one", "--port", str(port)), announces=False)


def run(settings: Settings, local: StackPaths, port: int) -> None:
    """Be Flower, until SIGTERM.

    Not by the command `celery -A`: that one imports modules of the working directory.
    """
    from workers.flower_app import app

    require_password(settings)
    app.start(["flower", *options(settings, local, port)])


def options(settings: Settings, local: StackPaths, port: int) -> list[str]:
    """What Flower is told. This stays within its process: everybody on the machine can read a process's arguments."""
    own = settings.flower
    told = [
        f"--address={own.address}", f"--port={port}", f"--max_tasks={own.max_tasks}",
        "--purge_offline_workers=600", f"--tasks_columns={COLUMNS}",
        # Else Flower runs a flowerconfig.py of the working directory.
        f"--conf={os.environ.get('FLOWER_CONF', os.devnull)}",
    ]  # fmt: skip
    if own.basic_auth is not None:
        # Without a password only the pages are served: an open interface could be called by every web page that a
        # browser on this machine shows.
        told.append(f"--basic_auth={own.basic_auth.get_secret_value()}")
    if own.persistent:
        told += ["--persistent=True", f"--state_save_interval={SAVE_MILLISECONDS}", f"--db={local.data / 'flower.db'}"]
    return told


def require_password(settings: Settings) -> None:
    """Raise WrongUse when Flower would be open to other machines without a password."""
    address = settings.flower.address
    if settings.flower.basic_auth is None and not is_loopback(address):
        raise WrongUse(f'flower.address {address} is open to other machines: set flower.basic_auth to "user:password".')
