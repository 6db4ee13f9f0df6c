"""The commands of this package as children to supervise."""

import socket

from settings import Settings, load_settings
from settings.child_commands import child_command
from tasks.stack_paths import StackPaths
from workers.storage.owner import require_no_other
from workers.supervisor.broker_view import BrokerView
from workers.supervisor.devices import devices
from workers.supervisor.flower import flower_spec
from workers.supervisor.processes import ChildSpec
from workers.supervisor.redis_server import redis_spec
from workers.supervisor.stack import StackSpec

STORAGE = "storage"
INGEST = "ingest"


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


def gpu_specs(wanted: str) -> list[ChildSpec]:
    """One GPU worker for each device that `wanted` ("auto", "cpu", "0,1", "all") names; raises ServiceMissing."""
    return [
        ChildSpec(device.name, child_command("workers", "gpu", "--one", device.name), env=device.env)
        for device in devices(wanted)
    ]


def stack_spec(settings: Settings, local: StackPaths, flower_port: int | None = None) -> StackSpec:
    """The stack that these settings ask for, with Flower if it gets a port; raises WrongUse or ServiceMissing."""
    # Other programs ask through Flower, so without it nobody would.
    front = [flower_spec(settings, flower_port), ingest_spec()] if flower_port is not None else []
    if settings.broker.url == "embedded":
        return StackSpec(redis_spec(local), storage_spec(), gpu_specs(settings.gpu.devices), front)
    # In a Redis that others use as well, names say the host.
    host = socket.gethostname()
    gpus = [gpu.on(host) for gpu in gpu_specs(settings.gpu.devices)]
    return StackSpec(None, storage_spec().on(host), gpus, [spec.on(host) for spec in front])
