"""The commands of this package as children to supervise."""

import socket
from typing import Literal

from settings import Settings, load_settings
from settings.child_commands import child_command
from settings.errors import ServiceMissing
from settings.extras import require
from settings.listening import require_free
from tasks.stack.paths import StackPaths
from workers.storage.owner import require_no_other
from workers.supervisor.broker_view import BrokerView
from workers.supervisor.devices import devices, processes_of
from workers.supervisor.flower import flower_spec
from workers.supervisor.processes import ChildSpec
from workers.supervisor.redis_server import redis_spec
from workers.supervisor.stack import StackSpec
from workers.supervisor.supervisor import say

STORAGE = "storage"
INGEST = "ingest"
GALLERY = "web"


def storage_spec() -> ChildSpec:
    """The storage worker; raises ServiceMissing where another embedded catalog serves its collection already."""
    settings = load_settings()
    if settings.broker.url != "embedded":
        BrokerView(settings, "").require()
        require_no_other(settings)
    return ChildSpec(STORAGE, child_command("workers", "storage", "--one"))


def ingest_spec() -> ChildSpec:
    """The worker that ingests folders for other programs."""
    return ChildSpec(INGEST, child_command("workers", "ingest", "--one"))


def gpu_specs(wanted: str, on_demand: bool = False, processes: int | Literal["auto"] = 1) -> list[ChildSpec]:
    """The GPU workers for the devices that `wanted` ("auto", "cpu", "0,1", "all") names; raises ServiceMissing.

    Each device gets as many as `processes`, which is `gpu.processes`, says. They load their models before they take a
    message, or `on_demand` each when it is first asked for.
    """
    options = ["--on-demand"] if on_demand else []
    return [
        ChildSpec(device.name, child_command("workers", "gpu", "--one", device.name, *options), env=device.env)
        for device in devices(wanted, processes_of(processes))
    ]


def gallery_if_free(settings: Settings) -> list[ChildSpec]:
    """The gallery, if `web.up` asks for it; nothing where it is not installed or its port is taken, which is said."""
    if not settings.web.up:
        return []
    try:
        for package in ("fastapi", "uvicorn", "mcp"):
            require(package, "web", f"The gallery needs {package}")
        advice = "free the port, choose another one by web.port, or set web.up = false."
        require_free("The gallery", settings.web.address, settings.web.port, advice)
    except ServiceMissing as error:
        say(f"{error} The stack comes up without the gallery.")
        return []
    return [ChildSpec(GALLERY, child_command("web", "--of-stack"), announces=False)]


def flower_if_free(settings: Settings, port: int) -> list[ChildSpec]:
    """Flower, or nothing where nobody can listen on its port, which is said; raises WrongUse as `flower_spec` does."""
    try:
        return [flower_spec(settings, port)]
    except ServiceMissing as error:
        say(f"{error} The stack comes up without Flower.")
        return []


def stack_spec(settings: Settings, local: StackPaths, flower_port: int | None = None) -> StackSpec:
    """The stack that these settings ask for, with Flower and the gallery if Flower gets a port.

    Where a port is taken the stack does without that page. Raises WrongUse or ServiceMissing.
    """
    # Other programs ask through Flower, so without it nobody would.
    front: list[ChildSpec] = []
    if flower_port is not None:
        front = [*flower_if_free(settings, flower_port), *gallery_if_free(settings), ingest_spec()]
    # A stack that is kept up is warm; one for a command loads what the command asks for, and a search asks for little.
    found = gpu_specs(settings.gpu.devices, flower_port is None, settings.gpu.processes)
    if settings.broker.url == "embedded":
        return StackSpec(redis_spec(local), storage_spec(), found, front)
    # In a Redis that others use as well, names say the host.
    host = socket.gethostname()
    gpus = [gpu.on(host) for gpu in found]
    return StackSpec(None, storage_spec().on(host), gpus, [spec.on(host) for spec in front])
