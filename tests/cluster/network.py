"""Hosts with addresses of their own on one machine: network namespaces on a switch, whose cables can be cut."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from types import TracebackType

SUBNET = "10.77.0"


def why_not() -> str | None:
    """Why this machine cannot have such hosts, or None where it can."""
    if not shutil.which("ip"):
        return "there is no `ip` command (Debian: iproute2)"
    if os.geteuid() != 0:
        return "only root may make network namespaces"
    probe = f"dr{os.getpid()}-probe"
    try:
        _ip("netns", "add", probe)
        try:
            _ip("-n", probe, "link", "add", "br0", "type", "bridge")
            _ip("-n", probe, "link", "add", "v0", "type", "veth", "peer", "name", "v1")
        finally:
            _ip("netns", "del", probe)
    except subprocess.CalledProcessError as error:
        return f"network namespaces are not permitted here: {error.stderr.strip()}"
    return None


class Network:
    """Hosts by name, each with an address; the switch between them is a namespace as well: nothing else is touched."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.addresses = {host: f"{SUBNET}.{number}" for number, host in enumerate(hosts, 1)}
        self._switch = self._namespace("switch")

    def __enter__(self) -> "Network":
        try:
            _ip("netns", "add", self._switch)
            _ip("-n", self._switch, "link", "add", "br0", "type", "bridge")
            _ip("-n", self._switch, "link", "set", "br0", "up")
            for host in self.addresses:
                self._add(host)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Take all hosts away; what runs in them must have ended."""
        for namespace in (*map(self._namespace, self.addresses), self._switch):
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)

    def on(self, host: str) -> list[str]:
        """What to put in front of a command so that it runs on that host, which has a host name of its own."""
        name = 'echo "$0" > /proc/sys/kernel/hostname; exec "$@"'
        return ["ip", "netns", "exec", self._namespace(host), "unshare", "--uts", "sh", "-c", name, host]

    def cut(self, host: str) -> None:
        """Cut the cable of a host: what it sends and what is sent to it goes nowhere, and nobody is told."""
        _ip("-n", self._switch, "link", "set", self._port(host), "nomaster")

    def heal(self, host: str) -> None:
        """Plug the cable in again."""
        _ip("-n", self._switch, "link", "set", self._port(host), "master", "br0")

    def _add(self, host: str) -> None:
        namespace = self._namespace(host)
        _ip("netns", "add", namespace)
        cable = ["eth0", "netns", namespace, "type", "veth", "peer", "name", self._port(host), "netns", self._switch]
        _ip("link", "add", *cable)
        _ip("-n", namespace, "addr", "add", f"{self.addresses[host]}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        _ip("-n", self._switch, "link", "set", self._port(host), "master", "br0", "up")

    @staticmethod
    def _namespace(host: str) -> str:
        return f"dr{os.getpid()}-{host}"

    @staticmethod
    def _port(host: str) -> str:
        return f"to-{host}"


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
