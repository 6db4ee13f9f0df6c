"""What a supervised child is, as plain data."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChildSpec:
    """One command to keep running.

    `env` is added to the environment of the supervisor. A child that `announces` itself writes its process id to
    `darkroom:ready` once it can work. `when_orphaned` is the signal that it gets if the supervisor is killed: workers
    are killed, because without their Redis they would wait for it for ever, and a killed worker loses nothing.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    announces: bool = True
    when_orphaned: signal.Signals = signal.SIGKILL
