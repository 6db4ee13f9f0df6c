"""Addresses that a server of ours listens on: who can reach them, and why one cannot be had."""

import ipaddress
import socket

from settings.errors import ServiceMissing


def is_loopback(address: str) -> bool:
    """True when only this machine can reach `address`."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def require_free(what: str, address: str, port: int, advice: str) -> None:
    """Raise ServiceMissing, with the advice, when `what` cannot listen on `address` and `port`."""
    try:
        with socket.create_server((address, port), family=family(address)):
            pass
    except OSError as error:
        raise ServiceMissing(f"{what} cannot listen on {address}, port {port} ({reason(error)}): {advice}") from error


def family(address: str) -> socket.AddressFamily:
    """The family of an address or of a host name."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def url(address: str, port: int) -> str:
    """The http:// address of a page that is served there."""
    return f"http://{f'[{address}]' if ':' in address else address}:{port}/"


def reason(error: OSError) -> str:
    """Why nothing can listen there, in a few words."""
    # Python's own text for a failed bind repeats the address in a second pair of brackets.
    return (error.strerror or str(error)).partition(" (while ")[0].lower()
