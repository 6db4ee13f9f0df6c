"""Workers of one kind on a machine of a cluster, supervised without a stack around them."""

import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

from settings import Settings
from tasks.stack.paths import StackPaths
from workers.supervisor.broker_view import BrokerView
from workers.supervisor.child import Child
from workers.supervisor.processes import ChildSpec, take_over
from workers.supervisor.supervisor import Supervisor, say


def run_fleet(settings: Settings, local: StackPaths, specs: Sequence[ChildSpec]) -> None:
    """Keep these children up until a signal; raises ServiceMissing when Redis does not answer or one runs already."""
    broker = BrokerView(settings, local.runtime.name)
    broker.require()
    local.create()
    locks = [take_over(local, spec.name) for spec in specs]
    # Named for good, by device and host: machines that share one Redis can be told apart, in Flower as well.
    # A fleet is started by a service manager or is a container, which keep what is written to stderr.
    children = [Child(spec.on(socket.gethostname()), local, sys.stderr.buffer, local.runtime) for spec in specs]
    for child in children:
        child.wanted = True
    say(f"Starting {', '.join(child.name for child in children)}; logs are in {local.logs}.")

    def sign_out() -> None:
        state = broker.state()
        own = {child.spec.full_name: child.pid for child in children}
        mine = [name for name, pid in own.items() if state and state.ready.get(name) == pid]
        if mine:
            broker.withdraw(mine)

    try:
        Supervisor([children], broker).run(lambda _glance: True, sign_out)
    finally:
        for lock in locks:
            lock.remove()
        with suppress(OSError):  # other workers of this machine may have files in it
            local.runtime.rmdir()
