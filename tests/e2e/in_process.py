"""Commands run in the process of the test, against a real stack: the same code without a new Python for each."""

import contextlib
import io
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

import redis

from producer.__main__ import main
from settings import load_settings
from tasks.broker import redis_client
from tasks.registry import ready
from tasks.stack.locks import acquire
from tasks.stack.paths import stack_paths
from tests.e2e.conftest import Home
from tests.until import until

NULL = {"DARKROOM__MODELS__CLIP": "null", "DARKROOM__MODELS__CAPTIONS": "false"}


class InProcess(Home):
    """A home whose commands run in this process; `start` still makes a process of its own."""

    def run(self, *arguments: str, module: str = "producer", **env: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end: of the producer here, of others or in another environment in its own process."""
        if (module, env) != ("producer", {}):
            return super().run(*arguments, module=module, **env)
        return in_this_process(*arguments)


def in_this_process(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the producer to its end, by the settings of this process."""
    out, err = io.StringIO(), io.StringIO()
    with (
        patch.object(sys, "argv", ["producer", *arguments]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def stack_without_models(folder: Path, broker: str) -> contextlib.AbstractContextManager[InProcess]:
    """A stack with the null model on the Redis of this process, up for as long as the block lasts."""
    return stack_on(folder, broker, NULL)


@contextlib.contextmanager
def stack_on(folder: Path, broker: str, settings: Mapping[str, str]) -> Iterator[InProcess]:
    """A stack with these settings on the Redis of this process, up for as long as the block lasts."""
    home = InProcess(folder / "data", {**settings, "DARKROOM__BROKER__URL": broker})
    with redis.Redis.from_url(broker) as client:
        client.flushall()
    names = [name for name in home.env() if name.startswith("DARKROOM") or name in ("PYTHONPATH", "COLUMNS")]
    with patch.dict(os.environ, {name: home.env()[name] for name in names}):
        load_settings.cache_clear()
        try:
            with serving(home):
                yield home
        finally:
            load_settings.cache_clear()


@contextlib.contextmanager
def serving(home: Home) -> Iterator[None]:
    """A stack that starts a GPU worker when work waits for one, as a command starts it on a Redis of its own."""
    users = acquire(stack_paths(load_settings()).users_lock, shared=True)
    assert users
    stack = home.start("serve", module="workers")
    try:
        with redis_client(load_settings()) as client:
            until(lambda: f"storage@{socket.gethostname()}" in ready(client), "the storage worker to be ready")
        yield
    finally:
        users.release()
        stack.communicate(timeout=60)
