"""What macOS lacks is used nowhere without asking for it first: a list of it, held against every file of the rooms."""

import ast
import dataclasses
from pathlib import Path

import pytest

from settings import load_settings
from settings.loading import ROOT
from tasks.stack.paths import stack_paths
from tests.test_house import ROOMS, files_of
from workers.supervisor.redis_server import redis_server

# What Python has on Linux and not on macOS, of the modules that the rooms use.
LINUX_ONLY = {
    "os": {
        *("sched_getaffinity", "sched_setaffinity", "memfd_create", "eventfd", "pidfd_open", "splice", "getrandom"),
        *("copy_file_range", "posix_fallocate", "posix_fadvise", "getxattr", "setxattr", "listxattr", "unshare"),
        *("setns", "O_TMPFILE", "O_PATH", "O_DIRECT", "getresuid", "setresuid", "fdatasync"),
    },
    "signal": {"sigtimedwait", "sigwaitinfo", "SIGPWR", "SIGPOLL", "SIGRTMIN"},
    "select": {"epoll", "EPOLLIN"},
    "socket": {"AF_NETLINK", "AF_VSOCK", "SO_PEERCRED", "SOCK_CLOEXEC", "SO_BINDTODEVICE", "TCP_USER_TIMEOUT"},
    "fcntl": {"F_SETPIPE_SZ", "F_ADD_SEALS", "F_SETLEASE", "F_OFD_SETLK"},
    "resource": {"prlimit"},
    "time": {"CLOCK_BOOTTIME", "clock_settime"},
}
ASKED = ("hasattr({module}, {name!r})", 'hasattr({module}, "{name}")', "sys.platform")
FILES = [file for room in (*ROOMS, "darkroom") for file in files_of(room)]


def linux_only_names(tree: ast.AST) -> list[tuple[str, str]]:
    """Module and name of all in this tree that only Linux has, `from os import epoll` as well."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.append((node.value.id, node.attr))
        elif isinstance(node, ast.ImportFrom):
            found += [(node.module or "", alias.name) for alias in node.names]
    return [(module, name) for module, name in found if name in LINUX_ONLY.get(module, ())]


def unasked(source: str) -> list[str]:
    """What a file uses that only Linux has, without asking whether it is there."""
    tree = ast.parse(source)
    names = [
        f"{module}.{name}"
        for module, name in linux_only_names(tree)
        if not any(asks.format(module=module, name=name) in source for asks in ASKED)
    ]
    texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    paths = [text for text in texts if text.startswith(("/proc/", "/sys/fs", "/sys/class", "/dev/shm"))]
    return names + ([] if "OSError" in source else paths)


def test_what_only_linux_has_is_asked_for_first() -> None:
    assert {str(file.relative_to(ROOT)): found for file in FILES if (found := unasked(file.read_text()))} == {}


def test_the_list_finds_what_it_is_for() -> None:
    assert unasked("import os\nos.sched_getaffinity(0)\nopen('/proc/self/status')") == [
        "os.sched_getaffinity",
        "/proc/self/status",
    ]
    assert unasked('import os\nif hasattr(os, "sched_getaffinity"):\n    os.sched_getaffinity(0)') == []


def test_the_socket_of_a_stack_has_a_path_that_every_system_takes(tmp_path: Path) -> None:
    settings = load_settings()
    deep = settings.data.model_copy(update={"dir": tmp_path / ("x" * 200) / ("y" * 200)})
    local = stack_paths(settings.model_copy(update={"data": deep}))
    # man 4 unix of macOS: sun_path has 104 bytes, the last of them a zero; user numbers have at most ten digits.
    longest = dataclasses.replace(local, runtime=Path("/tmp/darkroom-4294967295") / local.runtime.name)
    assert len(bytes(longest.socket)) <= 103


def test_on_a_mac_the_redis_of_homebrew_is_found_where_a_service_has_no_path_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = tmp_path / "brew" / "redis-server"
    server.parent.mkdir()
    server.write_text("#!/bin/sh\n")
    server.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("workers.supervisor.redis_server.HOMEBREW", (str(server.parent),))
    monkeypatch.setattr("sys.platform", "linux")
    assert redis_server() != str(server)
    monkeypatch.setattr("sys.platform", "darwin")
    assert redis_server() == str(server)
