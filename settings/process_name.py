"""The name of this process, as logs, Celery and Flower know it; it needs no settings."""

import os
import socket

# Set by the supervisor of a machine in a cluster.
WORKER = "DARKROOM_WORKER"


def worker_name(name: str) -> str:
    """The name of this process: `name`, or the full name (gpu0@host) that the supervisor of a cluster has set."""
    return os.environ.get(WORKER) or name


def node_name(name: str) -> str:
    """The name with the host, as Celery and Flower know this process: gpu0@host."""
    return node_of(worker_name(name))


def node_of(worker: str) -> str:
    """The name of a worker of this host with the host."""
    return worker if "@" in worker else f"{worker}@{socket.gethostname()}"
