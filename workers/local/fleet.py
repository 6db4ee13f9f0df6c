"""Workers of one kind on a machine of a cluster, supervised without a stack around them."""

import platform
from collections.abc import Sequence
from contextlib import suppress

from settings import Settings
from tasks.local import Local
from workers.local.broker import Broker
from workers.local.child import Child
from workers.local.child_spec import ChildSpec
from workers.local.supervisor import Supervisor, say


def run_fleet(settings: Settings, local: Local, specs: Sequence[ChildSpec]) -> None:
    """Keep these children up until a signal; raises ServiceMissing when Redis does not answer or one runs already."""
    broker = Broker(settings, local.runtime.name)
    broker.require()
    local.create()
    children = [Child(spec, local) for spec in specs]
    for child in children:
        child.wanted = True
    say(f"Starting {', '.join(child.name for child in children)}; logs are in {local.logs}.")
    try:
        Supervisor([children], broker, label=f"@{platform.node()}").run(lambda _glance: True)
    finally:
        with suppress(OSError):  # other workers of this machine may have files in it
            local.runtime.rmdir()
