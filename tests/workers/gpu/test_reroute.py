"""Files that a worker does not reach: every living worker gets its try, and then they fail by name."""

import redis

from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage
from workers.gpu.delivery import Delivery
from workers.gpu.reroute import Rerouter

ITEM = FileItem(7, "file:///photos/a.jpg")
REASON = "/photos is not there"


def with_unreachable_file(client: redis.Redis, *tried: str) -> Delivery:
    """A delivery of two files of which one is unreachable."""
    files = [FileItem(6, "file:///other/b.jpg"), ITEM]
    delivery = Delivery(FilesMessage("job", "file:///photos", files, list(tried)), Ledger(client, "job"))
    delivery.unreachable.append((ITEM, REASON))
    return delivery


def test_a_file_is_rerouted_to_a_worker_that_has_not_tried_it(client: redis.Redis) -> None:
    sent: list[tuple[FilesMessage, str]] = []
    delivery = with_unreachable_file(client, "gpu0@b")
    everybody = {"gpu0@a", "gpu0@b", "gpu0@c"}
    Rerouter("gpu0@a", lambda: everybody, lambda *message: sent.append(message)).reroute(delivery)
    ((message, worker),) = sent
    assert worker == "gpu0@c"
    assert message == FilesMessage("job", "file:///photos", [ITEM], ["gpu0@b", "gpu0@a"])
    assert FilesMessage.from_wire(message.to_wire()) == message
    assert delivery.failures == delivery.ledger.failures() == []


def test_a_single_worker_fails_it_at_once(client: redis.Redis) -> None:
    delivery = with_unreachable_file(client)
    Rerouter("gpu0@a", lambda: {"gpu0@a"}, _nobody).reroute(delivery)
    (failure,) = delivery.ledger.failures()
    assert (failure.number, failure.stage) == (7, "read")
    assert failure.reason == f"not reachable from worker gpu0@a: {REASON}"
    assert delivery.failures == [failure]


def test_when_every_worker_has_tried_it_all_of_them_are_named(client: redis.Redis) -> None:
    delivery = with_unreachable_file(client, "gpu0@b")
    Rerouter("gpu0@a", lambda: {"gpu0@a", "gpu0@b"}, _nobody).reroute(delivery)
    (failure,) = delivery.ledger.failures()
    assert failure.reason == f"not reachable from workers gpu0@a, gpu0@b: {REASON}"


def test_nothing_happens_to_files_that_were_reached(client: redis.Redis) -> None:
    delivery = Delivery(FilesMessage("job", "file:///photos", [ITEM]), Ledger(client, "job"))
    Rerouter("gpu0@a", set, _nobody).reroute(delivery)
    assert delivery.failures == []


def _nobody(message: FilesMessage, worker: str) -> None:
    raise AssertionError(f"{message} was sent to {worker}")
