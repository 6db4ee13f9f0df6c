"""The ledger of a new job, with what tells people of it: its roots, and how to go on with it."""

import json
import os
from collections.abc import Callable, Sequence
from functools import partial

import redis

from producer.jobs.lease import LEASE_SECONDS
from producer.stack import Stack
from producer.waiting import with_retries
from settings.errors import WrongUse
from tasks.ledger import JOB_VARIABLE, Ledger, new_job_id
from tasks.queues import COLLECTION_NAME

MOST_NAMES = 100


def open_ledger(
    client: redis.Redis, roots: Sequence[str], names: Sequence[str], stack: Stack, say: Callable[[str], None]
) -> Ledger:
    """Begin a job on roots, by their addresses; `names` are those by which `ingest` can begin it again.

    Raises WrongUse where the environment names a job that there is already.
    """
    # Of very many names, as a shell makes of a pattern, the folders that they are in say more.
    facts = {"sources": json.dumps(names)} if len(names) <= MOST_NAMES else {}
    while True:
        ledger = Ledger(client, new_job_id())
        # No address has a space in it.
        begin = partial(ledger.open, " ".join(roots), LEASE_SECONDS, collection=COLLECTION_NAME, **facts)
        if with_retries(begin, stack, say):
            return ledger
        if JOB_VARIABLE in os.environ:
            raise WrongUse(f"There is a job {ledger.job} already: give {JOB_VARIABLE} another name.")
