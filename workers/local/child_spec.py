"""What a supervised child is, as plain data."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tasks.presence import WORKER


@dataclass(frozen=True)
class ChildSpec:
    """One command to keep running.

    `env` is added to the environment of the supervisor. A child that `announces` itself writes its process id to
    `darkroom:ready` once it can work. `when_orphaned` is the signal that it gets if the supervisor is killed: workers
    are killed, because without their Redis they would wait for it for ever, and a killed worker loses nothing.
    `host` tells it from children of the same name on other machines.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    announces: bool = True
    when_orphaned: signal.Signals = signal.SIGKILL
    host: str = ""

    @property
    def full_name(self) -> str:
        """The name under which it announces itself: gpu0, or gpu0@host where several machines share one Redis."""
        return f"{self.name}@{self.host}" if self.host else self.name

    def on(self, host: str) -> "ChildSpec":
        """The same child on a machine of a cluster; it finds its full name in its environment."""
        return replace(self, host=host, env={**self.env, WORKER: f"{self.name}@{host}"})
