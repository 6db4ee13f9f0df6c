"""Known wrong versions of the code: each a small change that breaks one promise, and the tests that must notice it."""

from dataclasses import dataclass

STORE = "workers/storage/points.py"
SCRIPTS = "tasks/transport/scripts.py"
QOS = "tasks/transport/qos.py"
LEDGER = "tasks/ledger_scripts.py"
CATALOG = "workers/storage/embedded/catalog.py"
DURABLE = "workers/storage/embedded/durable.py"
COMPACTION = "workers/storage/embedded/compaction.py"


@dataclass(frozen=True)
class WrongVersion:
    """`old` stands once in `file` and becomes `new`; at least one of `tests` (pytest's names) must then fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


WRONG_VERSIONS = (
    WrongVersion(
        "a batch is acknowledged before it is written",
        STORE,
        "@app.task(name=STORE_POINTS, bind=True, acks_late=True)",
        "@app.task(name=STORE_POINTS, bind=True, acks_late=False)",
        ("tests/proof/test_model.py",),
    ),
    WrongVersion(
        "a file is counted as stored before its write is confirmed",
        STORE,
        "        refused = _upsert(_points_of(message), message)\n",
        "        ledger.stored(message.numbers, message.reused)\n"
        "        refused = _upsert(_points_of(message), message)\n",
        ("tests/workers/storage/test_patience.py",),
    ),
    WrongVersion(
        "a batch is dropped while the store is away",
        STORE,
        "    return isinstance(error, ServiceMissing) or (isinstance(error, RedisError) and may_pass(error))",
        "    return isinstance(error, RedisError) and may_pass(error)",
        ("tests/workers/storage/test_patience.py",),
    ),
    WrongVersion(
        "a message is popped without a note of who holds it",
        SCRIPTS,
        "    redis.call('HSET', KEYS[1], tag, '[' .. raw .. ', ' .. exchange .. ', ' .. routing_key .. ']')\n",
        "",
        ("tests/tasks/test_round_trips.py", "tests/tasks/test_transport.py"),
    ),
    WrongVersion(
        "a lease is not renewed",
        QOS,
        "                run_script(client, RENEW, [self.unacked_index_key], tags)\n",
        "                client.ping()\n",
        ("tests/tasks/test_transport.py", "tests/tasks/test_round_trips.py"),
    ),
    WrongVersion(
        "a lease goes by the clock of the worker",
        SCRIPTS,
        "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1] - ARGV[1], 'LIMIT', 0, ARGV[2])",
        "return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', time[1] + ARGV[1], 'LIMIT', 0, ARGV[2])",
        ("tests/tasks/test_round_trips.py", "tests/tasks/test_transport.py"),
    ),
    WrongVersion(
        "a message that was acknowledged comes back with the renewal of its lease",
        SCRIPTS,
        "redis.call('ZADD', KEYS[1], 'XX', time[1]",
        "redis.call('ZADD', KEYS[1], time[1]",
        ("tests/tasks/test_round_trips.py",),
    ),
    WrongVersion(
        "a lost message is not published again",
        "producer/ingest/reconcile.py",
        "            self._window.publish_again(lost)\n",
        "",
        ("tests/producer/ingest/test_reconcile.py",),
    ),
    WrongVersion(
        "one look is proof enough that a message is lost",
        "producer/ingest/reconcile.py",
        "if now - since >= NOWHERE_SECONDS]",
        "if now >= since]",
        ("tests/producer/ingest/test_reconcile.py",),
    ),
    WrongVersion(
        "the window never shrinks",
        "producer/ingest/window.py",
        "            del self.under_way[number]\n",
        "            pass\n",
        ("tests/producer/ingest/test_window.py",),
    ),
    WrongVersion(
        "the id of a point is random",
        "pictures/uris.py",
        "    return str(uuid.uuid5(uuid.NAMESPACE_URL, uri))",
        "    return str(uuid.uuid4())",
        ("tests/pictures/test_uris.py",),
    ),
    WrongVersion(
        "the ledger counts a write that is told twice two times",
        LEDGER,
        "counts[i - 3] = redis.call('BITCOUNT', KEYS[i])",
        "counts[i - 3] = redis.call('BITCOUNT', KEYS[i]) + redis.call('HLEN', KEYS[2])",
        ("tests/tasks/test_ledger.py",),
    ),
    WrongVersion(
        "a file that is stored stays on the list of those that failed",
        LEDGER,
        "  redis.call('SETBIT', KEYS[5], ARGV[i], 0)\n",
        "",
        ("tests/tasks/test_ledger.py",),
    ),
    WrongVersion(
        "a write is acknowledged before the disk has it",
        CATALOG,
        "        if on_disk:\n            on_disk()\n",
        "",
        ("tests/proof/test_power.py",),
    ),
    WrongVersion(
        "a shard that was made anew is used before the disk has it",
        COMPACTION,
        "        sync_tree(self.folder)\n",
        "",
        ("tests/workers/storage/embedded/test_compaction.py",),
    ),
    WrongVersion(
        "what is written while a shard is made anew is not in the new one",
        DURABLE,
        "            if operation is not None:\n                self._compaction.shard.update(operation)\n",
        "",
        ("tests/workers/storage/embedded/test_compaction.py",),
    ),
    WrongVersion(
        "the look-up of known content ignores the model",
        "workers/storage/where.py",
        'return [Is("clip_model", clip_model), In("preprocessing", reusable(preprocessing))]',
        'return [In("preprocessing", reusable(preprocessing))]',
        ("tests/workers/storage/test_catalog.py",),
    ),
    WrongVersion(
        "results of a batch go to the wrong files",
        "workers/gpu/publish.py",
        "        vectors = np.stack([row.vector for row in rows])",
        "        vectors = np.stack([row.vector for row in reversed(rows)])",
        ("tests/workers/gpu/test_pipeline.py",),
    ),
    WrongVersion(
        "a file that killed its workers is tried for ever",
        "workers/gpu/pipeline.py",
        "                if attempts[item.number] >= limit:\n",
        "                if attempts[item.number] >= 10**6:\n",
        ("tests/workers/gpu/test_redelivery.py",),
    ),
    WrongVersion(
        "a suspected file is computed beside others",
        "workers/gpu/isolation.py",
        "self._changed.wait_for(lambda: self._closed or not (self._shared or self._is_exclusive))",
        "self._changed.wait_for(lambda: True)",
        ("tests/workers/gpu/test_isolation.py",),
    ),
    WrongVersion(
        "a file that changed since its loader died is taken for what it was",
        "workers/gpu/loading/child.py",
        "        if content.sha256 != sha256:\n",
        "        if False:\n",
        ("tests/workers/gpu/loading/test_process.py",),
    ),
    WrongVersion(
        "a loader writes over pixels that a model still reads",
        "workers/gpu/loading/slots.py",
        "        weakref.finalize(pixels, self.give_back, slot).atexit = False\n",
        "        self.give_back(slot)\n",
        ("tests/workers/gpu/loading/test_slots.py",),
    ),
    WrongVersion(
        "a second catalog becomes the owner of a collection",
        "workers/storage/owner.py",
        "  if owner['catalog'] ~= ARGV[3] or owner['place'] ~= ARGV[4] then return held end\n",
        "  if owner['catalog'] == '' then return held end\n",
        ("tests/workers/storage/test_owner.py",),
    ),
    WrongVersion(
        "a worker takes files for another collection",
        "tasks/messages.py",
        "        if has.collection != self.collection:\n",
        "        if False:\n",
        ("tests/workers/storage/test_patience.py", "tests/tasks/test_messages.py"),
    ),
    WrongVersion(
        "a batch out of memory is not cut",
        "workers/microbatcher.py",
        "            elif self._too_large(error):\n",
        "            elif False:\n",
        ("tests/workers/test_microbatcher.py",),
    ),
)
