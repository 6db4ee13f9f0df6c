"""Darkroom's Redis transport: kombu's, but messages and acknowledgements travel in batches and leases are renewed.

It overrides methods of kombu and uses private names. docs/architecture.md lists them with the reasons;
tests/tasks/test_private_names.py fails with a sentence when a new release of kombu changes one of them.
"""

from tasks.transport.channel import Channel, SentinelTransport, Transport
from tasks.transport.qos import QoS

__all__ = ["Channel", "QoS", "SentinelTransport", "Transport"]
