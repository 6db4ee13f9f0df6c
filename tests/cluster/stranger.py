"""Somebody else's Celery application, as any book shows it: on the same Redis database, with tasks that last long."""

import os
import time

import redis
from celery import Celery

SOCKET = os.environ.get("STRANGERS_REDIS", "")
PAID = "strangers:paid"
ENDED = "strangers:ended"

app = Celery("stranger", broker=f"redis+socket://{SOCKET}")
app.conf.task_acks_late = True
app.conf.broker_transport_options = {"visibility_timeout": 3600}


@app.task(name="stranger.pay")
def pay(seconds: float) -> None:
    """A payment: it must not happen twice."""
    client = redis.Redis(unix_socket_path=SOCKET)
    client.incr(PAID)
    time.sleep(seconds)
    client.incr(ENDED)
