"""Anything may happen to a job, in any order: Hypothesis looks for one that loses, doubles or miscounts a file."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import cast

import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from pictures.uris import point_id
from settings.redis_errors import refusal
from tasks.envelope import Envelope
from tasks.ledger import Ledger
from tasks.messages import SCHEMA, FileItem, FilesMessage
from tasks.queues import FILES, POINTS, PROCESS_FILES, QUEUES, UNACKED, UNACKED_INDEX, left_by_other_releases
from tests.proof.hands import Died, Hands
from tests.proof.world import FILES_OF_A_JOB, TARGET, WINDOW, World
from workers.storage.catalog import Catalog
from workers.storage.owner import Owner, Ownership

# Beyond the leases of messages (a minute) and of owners and workers (half a minute).
LONG_SECONDS = 70.0
LOOK_SECONDS = 5.0
ROUNDS_TO_HEAL = 100
STEPS = 25
EARLIER_QUEUE = FILES.replace(f".v{SCHEMA}.", f".v{SCHEMA - 1}.")


@contextmanager
def refused_when_full() -> Iterator[None]:
    """What a full Redis refuses, a producer asks again later."""
    try:
        yield
    except redis.ResponseError as error:
        if refusal(error) is None:
            raise


class Job(RuleBasedStateMachine):
    """The rules are what may happen; `client` and `catalog` are set by who runs it."""

    client: redis.Redis
    catalog: Catalog
    numbers = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.client, self.catalog, next(self.numbers))
        self.earlier_release = 0

    @rule()
    def the_producer_publishes(self) -> None:
        self.world.publish()

    @rule()
    def the_producer_looks(self) -> None:
        self.world.time_passes(LOOK_SECONDS)
        self.world.window.forget_finished()
        missing = self.world.missing()
        with refused_when_full():
            again = self.world.reconciler.publish_missing(self.world.now)
            assert again <= len(missing), "a file is published again that was there"

    @precondition(lambda self: self.world.gpu)
    @rule()
    def the_gpu_worker_takes(self) -> None:
        self.world.gpu.take(self.client)  # type: ignore[union-attr]  # the precondition

    @precondition(lambda self: self.world.gpu and self.world.gpu.held)
    @rule()
    def the_gpu_worker_computes(self) -> None:
        self.world.compute(cast(Hands, self.world.gpu))

    @precondition(lambda self: self.world.gpu)
    @rule(with_work_done=st.booleans())
    def the_gpu_worker_dies(self, with_work_done: bool) -> None:
        gpu = cast(Hands, self.world.gpu)
        if gpu.held and with_work_done:
            with suppress(Died):
                self.world.compute(gpu, dies_before_ack=True)
        gpu.die()
        self.world.gpu = None

    @precondition(lambda self: not self.world.gpu)
    @rule()
    def a_gpu_worker_starts(self) -> None:
        self.world.gpu = Hands(FILES)

    @precondition(lambda self: self.world.gpu and not self.world.full)
    @rule()
    def the_gpu_worker_dies_between_pop_and_note(self) -> None:
        # What kombu's BRPOP does before anything is noted.
        self.client.rpop(FILES)
        self.world.may_be_missing |= self.world.missing()
        self.the_gpu_worker_dies(with_work_done=False)

    @precondition(lambda self: self.world.storage)
    @rule()
    def the_storage_worker_takes(self) -> None:
        self.world.storage.take(self.client)  # type: ignore[union-attr]  # the precondition

    @precondition(lambda self: self.world.storage and self.world.storage.held)
    @rule()
    def the_storage_worker_stores(self) -> None:
        self.world.store(cast(Hands, self.world.storage))

    @precondition(lambda self: self.world.storage and self.world.storage.held)
    @rule(moment=st.sampled_from(["before the write", "before the ledger", "before the ack"]))
    def the_storage_worker_dies(self, moment: str) -> None:
        storage = cast(Hands, self.world.storage)
        with suppress(Died):
            self.world.store(storage, dies=moment)
        storage.die()
        self.world.storage = None

    @precondition(lambda self: not self.world.storage)
    @rule()
    def a_storage_worker_starts(self) -> None:
        self.world.storage = Hands(POINTS)

    @rule()
    def leases_run_out(self) -> None:
        self.world.time_passes(LONG_SECONDS)
        for hands in (self.world.gpu, self.world.storage):
            if hands:
                hands.restore()

    @rule()
    def redis_writes_to_disk(self) -> None:
        self.world.second_passes()

    @rule()
    def redis_loses_its_last_second(self) -> None:
        self.world.lose_last_second()
        self.earlier_release = self.client.llen(EARLIER_QUEUE)

    @rule()
    def redis_is_full(self) -> None:
        self.world.becomes_full()

    @rule()
    def redis_has_room(self) -> None:
        self.world.has_room()

    @rule()
    def a_second_producer_is_refused(self) -> None:
        with refused_when_full():
            assert not Ledger(self.client, self.world.ledger.job).open("file:///elsewhere")

    @rule()
    def a_second_owner_is_refused(self) -> None:
        other = Ownership(self.client, "pictures", Owner("theirs", "host:/theirs", "storage@other"))
        assert other._take() is not None

    @precondition(lambda self: not self.world.full)
    @rule()
    def messages_of_other_releases_come(self) -> None:
        wire = FilesMessage(TARGET, "theirs", "file:///t", [FileItem(0, "file:///t/0.png")]).to_wire()
        envelope = Envelope(PROCESS_FILES, FILES, parent="theirs")
        self.client.lpush(FILES, envelope.message({**wire, "schema": 999}, "0.png", [0]))
        self.client.lpush(EARLIER_QUEUE, "in a form that nobody here reads")
        self.earlier_release += 1

    @invariant()
    def what_is_counted_is_written(self) -> None:
        counts, done = self.world.ledger.counts(), self.world.ledger.done(range(FILES_OF_A_JOB))
        assert {self.world.uri(number) for number in done} <= self.world.stored_points().keys()
        assert (counts.stored, counts.failed, counts.skipped) == (len(done), 0, 0)

    @invariant()
    def no_file_is_nowhere(self) -> None:
        missing = self.world.missing()
        self.world.may_be_missing &= missing
        assert missing <= self.world.may_be_missing, "a message is gone"

    @invariant()
    def what_is_held_is_noted_twice_or_not_at_all(self) -> None:
        index = cast(list[bytes], self.client.zrange(UNACKED_INDEX, 0, -1))
        assert set(cast(list[bytes], self.client.hkeys(UNACKED))) == set(index)

    @invariant()
    def the_window_holds(self) -> None:
        assert len(self.world.window.under_way) <= WINDOW

    @invariant()
    def other_releases_keep_what_is_theirs(self) -> None:
        assert sum(left_by_other_releases(self.client).values()) == self.earlier_release

    def teardown(self) -> None:
        """Heal: start what is dead, let time pass, and see that all is well."""
        world = self.world
        world.has_room()
        for _ in range(ROUNDS_TO_HEAL):
            self._go_on()
            if not (world.waiting or world.window.under_way):
                if world.ledger.counts().finished == FILES_OF_A_JOB and not self._left_over():
                    break
                # As the producer does at the end of a job: what Redis has forgotten is published again.
                forgotten = world.ledger.without_end(FILES_OF_A_JOB)
                world.waiting = [world._file(number) for number in forgotten]
        self._judge()
        for hands in (world.gpu, world.storage):
            if hands:
                hands.die()

    def _go_on(self) -> None:
        world = self.world
        world.gpu, world.storage = world.gpu or Hands(FILES), world.storage or Hands(POINTS)
        world.publish()
        for hands, work in ((world.gpu, world.compute), (world.storage, world.store)):
            hands.restore()
            hands.take(self.client)
            while hands.held:
                work(hands)
        world.time_passes(LOOK_SECONDS)
        world.window.forget_finished()
        world.reconciler.publish_missing(world.now)

    def _left_over(self) -> int:
        waiting: list[int] = [self.client.llen(queue) for queue in QUEUES]
        return self.client.hlen(UNACKED) + sum(waiting)

    def _judge(self) -> None:
        world = self.world
        counts = world.ledger.counts()
        assert (counts.stored, counts.finished) == (FILES_OF_A_JOB, FILES_OF_A_JOB), f"{counts} after healing"
        assert self._left_over() == 0
        assert world.stored_points() == {world.uri(n): point_id(world.uri(n)) for n in range(FILES_OF_A_JOB)}
        for number in range(FILES_OF_A_JOB):
            (hit,) = self.catalog.search(world.vector(number), 1)
            assert (hit.payload["uri"], round(hit.score, 4)) == (world.uri(number), 1.0), "misfiled"


def check_model(client: redis.Redis, catalog: Catalog, examples: int, seed: int, shorten: bool = False) -> None:
    """Draw so many orders of events; raises what a failing one raises, and prints it, `shorten`ed if wanted."""
    Job.client, Job.catalog = client, catalog
    drawn = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        # A failing order is printed as it was drawn; to shorten it takes minutes, and is for who looks into it.
        phases=[Phase.generate, Phase.shrink] if shorten else [Phase.generate],
    )
    run_state_machine_as_test(seeded(seed)(Job), settings=drawn)
