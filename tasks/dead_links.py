"""Socket options by which a connection to a host that fell silent ends soon."""

import socket

IDLE_SECONDS = 20
PROBE_SECONDS = 5
PROBES = 4


def tcp_options() -> dict[int, int]:
    """TCP option -> value, as redis-py takes them in `socket_keepalive_options`; those that this system has.

    A cut cable sends no word. Without these, an idle connection is believed for two hours, and one with unconfirmed
    data is tried again at ever longer intervals, so that a worker would stay away long after the cable is back.
    """
    wanted = {
        "TCP_KEEPIDLE": IDLE_SECONDS,
        "TCP_KEEPINTVL": PROBE_SECONDS,
        "TCP_KEEPCNT": PROBES,
        "TCP_USER_TIMEOUT": 1000 * (IDLE_SECONDS + PROBES * PROBE_SECONDS),
    }
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}
