"""Flower, the web page that shows workers and tasks, as a supervised child."""

import ipaddress
import socket
import sys

from settings import Settings
from settings.errors import ServiceMissing, WrongUse
from tasks.stack_paths import StackPaths
from workers.supervisor.processes import ChildSpec

# A file is known by its name among the arguments, and a job by how far it is.
COLUMNS = "name,args,state,result,exception,received"
SAVE_MILLISECONDS = 60_000


def flower_spec(settings: Settings, local: StackPaths, port: int) -> ChildSpec:
    """Flower on `flower.address` and `port`.

    Raises WrongUse when it would be open to other machines without a password, ServiceMissing when the port is taken.
    """
    address, login = settings.flower.address, settings.flower.basic_auth
    if login is None and not is_loopback(address):
        raise WrongUse(f'flower.address {address} is open to other machines: set flower.basic_auth to "user:password".')
    require_free(address, port)
    # By the environment, because everybody on the machine can read the arguments of a process. Without a password only
    # the pages are served: an open interface could be called by every web page that a browser on this machine shows.
    env = {"FLOWER_BASIC_AUTH": login.get_secret_value()} if login else {}
    argv = [
        sys.executable, "-m", "celery", "-A", "workers.flower_app", "flower",
        f"--address={address}", f"--port={port}", f"--max_tasks={settings.flower.max_tasks}",
        "--purge_offline_workers=600", f"--tasks_columns={COLUMNS}",
    ]  # fmt: skip
    if settings.flower.persistent:
        argv += ["--persistent=True", f"--state_save_interval={SAVE_MILLISECONDS}", f"--db={local.data / 'flower.db'}"]
    return ChildSpec("flower", tuple(argv), env=env, announces=False)


def is_loopback(address: str) -> bool:
    """True when only this machine can reach `address`."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def require_free(address: str, port: int) -> None:
    """Raise ServiceMissing when nothing can listen on `address` and `port`."""
    try:
        with socket.create_server((address, port), family=_family(address)):
            pass
    except OSError as error:
        raise ServiceMissing(
            f"Flower cannot listen on {address}, port {port} ({_reason(error)}): "
            "free the port or choose another by flower.port."
        ) from error


def _reason(error: OSError) -> str:
    # Python's own text for a failed bind repeats the address in a second pair of brackets.
    return (error.strerror or str(error)).partition(" (while ")[0].lower()


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
