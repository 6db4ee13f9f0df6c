"""A child that does what a worker does for its supervisor: announces itself in Redis, then lives until SIGTERM.

Arguments: name, socket of Redis. While the file that FAIL names exists, it prints the text
of that file and ends with exit code 3.
"""

import os
import signal
import sys
import threading
from pathlib import Path

import redis

from workers.presence import Presence


def main() -> None:
    name, socket = sys.argv[1:]
    failure = Path(os.environ["FAIL"])
    if failure.exists():
        print(failure.read_text(), file=sys.stderr)
        sys.exit(3)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    Presence(redis.Redis(unix_socket_path=socket), name).ready()
    print(f"{name} sees {os.environ.get('CUDA_VISIBLE_DEVICES')!r}", flush=True)
    # Waits in short turns, because a signal does not interrupt an endless wait on every system.
    while not stop.wait(0.1):
        pass


if __name__ == "__main__":
    main()
