"""Files that a worker does not reach: every living worker gets its try, and then they fail by name."""

import redis

from tasks.ledger import Failure, Ledger
from tasks.messages import FileItem, FilesMessage, Target
from tasks.registry import Worker
from workers.gpu.delivery import Delivery
from workers.gpu.reroute import Rerouter

ITEM = FileItem(7, "file:///photos/a.jpg")
TARGET = Target("pictures", "a-clip", "")


def a_worker(name: str, has: Target) -> Worker:
    """A worker that takes messages."""
    return Worker(name, name, 1, True, has)


WORKERS = {name: a_worker(name, TARGET) for name in ("gpu0@a", "gpu0@b", "gpu0@c")}
OTHER = Target("pictures", "another-clip", "")
REASON = "/photos is not there"


def with_unreachable_file(client: redis.Redis, *tried: str) -> Delivery:
    """A delivery of two files of which one is unreachable."""
    files = [FileItem(6, "file:///other/b.jpg"), ITEM]
    delivery = Delivery(FilesMessage(TARGET, "job", "file:///photos", files, list(tried)), Ledger(client, "job"))
    delivery.unreachable.append((ITEM, REASON))
    return delivery


def test_a_file_is_rerouted_to_a_worker_that_has_not_tried_it(client: redis.Redis) -> None:
    sent: list[tuple[FilesMessage, str]] = []
    delivery = with_unreachable_file(client, "gpu0@b")
    everybody = [WORKERS[name] for name in ("gpu0@a", "gpu0@b", "gpu0@c")]
    Rerouter("gpu0@a", lambda: everybody, lambda *message: sent.append(message)).reroute(delivery)
    ((message, worker),) = sent
    assert worker == "gpu0@c"
    assert message == FilesMessage(TARGET, "job", "file:///photos", [ITEM], ["gpu0@b", "gpu0@a"])
    assert FilesMessage.from_wire(message.to_wire()) == message
    assert delivery.failures == delivery.ledger.failures() == []


def test_a_file_waits_for_a_worker_that_is_not_heard_and_has_not_tried_it(client: redis.Redis) -> None:
    sent: list[tuple[FilesMessage, str]] = []
    here, silent = [WORKERS["gpu0@a"], WORKERS["gpu0@b"]], [WORKERS["gpu0@c"]]
    rerouter = Rerouter("gpu0@a", lambda: here, lambda *message: sent.append(message), lambda: silent)
    rerouter.reroute(with_unreachable_file(client))
    delivery = with_unreachable_file(client, "gpu0@b")
    rerouter.reroute(delivery)
    assert [worker for _, worker in sent] == ["gpu0@b", "gpu0@c"]
    assert delivery.failures == delivery.ledger.failures() == []


def test_a_single_worker_fails_it_at_once(client: redis.Redis) -> None:
    delivery = with_unreachable_file(client)
    Rerouter("gpu0@a", lambda: [WORKERS["gpu0@a"]], _nobody).reroute(delivery)
    (failure,) = delivery.ledger.failures()
    assert (failure.number, failure.stage) == (7, "read")
    assert failure.reason == f"not reachable from worker gpu0@a: {REASON}"
    assert delivery.failures == [failure]


def test_when_every_worker_has_tried_it_all_of_them_are_named(client: redis.Redis) -> None:
    delivery = with_unreachable_file(client, "gpu0@b")
    Rerouter("gpu0@a", lambda: [WORKERS["gpu0@a"], WORKERS["gpu0@b"]], _nobody).reroute(delivery)
    (failure,) = delivery.ledger.failures()
    assert failure.reason == f"not reachable from workers gpu0@a, gpu0@b: {REASON}"


def test_nothing_happens_to_files_that_were_reached(client: redis.Redis) -> None:
    delivery = Delivery(FilesMessage(TARGET, "job", "file:///photos", [ITEM]), Ledger(client, "job"))
    Rerouter("gpu0@a", list, _nobody).reroute(delivery)
    assert delivery.failures == []


def test_files_for_other_models_go_to_a_worker_that_has_them(client: redis.Redis) -> None:
    sent: list[tuple[FilesMessage, str]] = []
    others = [a_worker("gpu0@a", OTHER), a_worker("gpu0@b", OTHER), a_worker("gpu0@c", TARGET)]
    message = FilesMessage(TARGET, "job", "file:///photos", [ITEM])
    rerouter = Rerouter("gpu0@a", lambda: others, lambda *message: sent.append(message))
    assert rerouter.refuse(message, Ledger(client, "job"), "why") == []
    assert sent == [(FilesMessage(TARGET, "job", "file:///photos", [ITEM], ["gpu0@a"]), "gpu0@c")]


def test_files_for_models_that_nobody_has_fail_with_the_reason_that_names_both(client: redis.Redis) -> None:
    ledger = Ledger(client, "job")
    others = [a_worker("gpu0@a", OTHER), a_worker("gpu0@b", OTHER)]
    reason = TARGET.mismatch("gpu0@a", OTHER)
    assert "another-clip" in reason
    assert "a-clip" in reason
    message = FilesMessage(TARGET, "job", "file:///photos", [ITEM])
    failures = Rerouter("gpu0@a", lambda: others, _nobody).refuse(message, ledger, reason)
    assert failures == ledger.failures() == [Failure(7, ITEM.uri, "worker", reason)]


def _nobody(message: FilesMessage, worker: str) -> None:
    raise AssertionError(f"{message} was sent to {worker}")
