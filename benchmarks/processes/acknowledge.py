"""In the place of GPU and storage workers: takes files from the queue and ticks them as stored, until it is ended."""

import json
from base64 import b64decode
from typing import cast

import msgpack

from settings import load_settings
from tasks.broker import redis_client
from tasks.ledger import Ledger
from tasks.messages import FilesMessage
from tasks.queues import FILES

AT_ONCE = 500


def main() -> None:
    """Serve for ever."""
    client = redis_client(load_settings())
    while True:
        raws = cast(list[bytes] | None, client.rpop(FILES, AT_ONCE))
        if not raws:
            client.brpoplpush(FILES, FILES, timeout=1)
            continue
        jobs: dict[str, list[int]] = {}
        for raw in raws:
            _, arguments, _ = msgpack.unpackb(b64decode(json.loads(raw)["body"]))
            message = FilesMessage.from_wire(arguments)
            jobs.setdefault(message.job, []).extend(item.number for item in message.files)
        for job, numbers in jobs.items():
            Ledger(client, job).stored(numbers, [False] * len(numbers))


if __name__ == "__main__":
    main()
