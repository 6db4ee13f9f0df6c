"""Private names of Celery's worker and of Flower that our workers and our Flower rely on."""

import inspect

import flower.app
import flower.events
import pytest
from celery.worker.consumer import Consumer

from tasks.app import app
from tests.private_names import PrivateName, fail, require_documented

CONSUME, FLOWER, POOL = "workers/consume.py", "workers/flower_app.py", "workers/gpu/task_pool.py"
LATE = "workers/late_queues.py"
CONSUMER = "celery.worker.consumer"
EVENT_PARAMETERS = "self, type_, timestamp, local_received, fields, precedence, setattr, task_event_to_state, RETRY"
EVENTS_PARAMETERS = (
    "self, capp, io_loop, db, persistent, enable_events, state_save_interval, max_tasks_in_memory, **kwargs"
)

NAMES = [
    PrivateName("celery.bootsteps", "ConsumerStep.start", CONSUME, "self, c", "0b76c3831907"),
    PrivateName("celery.bootsteps", "ConsumerStep.consumers", CONSUME),
    PrivateName("celery.bootsteps", "ConsumerStep.stop", CONSUME, "self, c", "3c06d34598a7"),
    PrivateName("celery.bootsteps", "ConsumerStep.shutdown", CONSUME, "self, c", "09550c3e84ca"),
    PrivateName(CONSUMER, "Consumer.add_task_queue", LATE, None, "d32cb2eddfcc"),
    PrivateName(CONSUMER, "Consumer.call_soon", LATE, "self, p, *args, **kwargs"),
    PrivateName("celery.app.amqp", "Queues.deselect", LATE, "self, exclude"),
    PrivateName("celery.app.amqp", "Queues.select_add", LATE, "self, queue, **kwargs"),
    PrivateName("celery.app.amqp", "Queues.consume_from", LATE),
    PrivateName(CONSUMER, "Tasks.start", CONSUME, "self, c", "dac4e705e29c"),
    PrivateName(CONSUMER, "Events.start", CONSUME, "self, c", "1bf009af680e"),
    PrivateName(CONSUMER, "Consumer.create_task_handler", CONSUME, "self, promise"),
    PrivateName(CONSUMER, "Consumer.on_decode_error", CONSUME, "self, message, exc"),
    PrivateName("celery.events.dispatcher", "EventDispatcher.send", CONSUME, None, "cf0b13273176"),
    PrivateName("celery.events.dispatcher", "EventDispatcher.flush", CONSUME, "self, errors, groups"),
    PrivateName("celery.concurrency.thread", "TaskPool.__init__", POOL, "self, *args, **kwargs"),
    PrivateName("celery.concurrency.thread", "TaskPool.on_apply", POOL, None, "4edde8270726"),
    PrivateName("celery.concurrency.thread", "TaskPool.on_stop", POOL, "self", "0d0b25296a57"),
    PrivateName("celery.concurrency.base", "apply_target", POOL, None, "38d0a50898ef"),
    PrivateName("celery.app.trace", "fast_trace_task", POOL, None, "8bb0241fa390"),
    PrivateName("flower.app", "Events", FLOWER),
    PrivateName("flower.events", "Events.__init__", FLOWER, EVENTS_PARAMETERS),
    PrivateName("flower.events", "Events.on_event", FLOWER, "self, event", "4066b3b6b47f"),
    PrivateName("flower.events", "EventsState.Task", FLOWER),
    PrivateName("flower.events", "EventsState.event", FLOWER, "self, event"),
    PrivateName("celery.events.state", "State._create_dispatcher", FLOWER, "self", "fa67b5e4f3a0"),
    PrivateName("celery.events.state", "Task.__init__", FLOWER, "self, uuid, cluster_state, children, **kwargs"),
    PrivateName("celery.events.state", "Task.event", FLOWER, EVENT_PARAMETERS),
    PrivateName("celery.events.state", "Task.parent", FLOWER),
]
OF_A_CONSUMER = ["initial_prefetch_count", "timer", "app"]
OF_A_DISPATCHER = ["buffer_limit", "on_send_buffered"]


@pytest.mark.parametrize("name", NAMES, ids=str)
def test_a_name_is_as_it_was_when_it_was_read(name: PrivateName) -> None:
    name.check()
    require_documented(name.label)


@pytest.mark.parametrize("name", OF_A_CONSUMER)
def test_a_consumer_has_its_attributes_before_its_steps_are_made(name: str) -> None:
    require_documented(f"Consumer.{name}")
    source = inspect.getsource(Consumer.__init__)
    set_at, steps_at = source.find(f"self.{name} ="), source.find("self.blueprint.apply(")
    if not 0 < set_at < steps_at:
        fail("celery", f"Consumer.{name}", CONSUME, "is not set before the steps of the worker are made")


def test_the_step_of_the_events_leaves_a_dispatcher_on_the_consumer() -> None:
    require_documented("Consumer.event_dispatcher")
    if not hasattr(Consumer, "event_dispatcher") and "event_dispatcher" not in inspect.getsource(Consumer):
        fail("celery", "Consumer.event_dispatcher", CONSUME, "is gone")


@pytest.mark.parametrize("name", OF_A_DISPATCHER)
def test_an_event_dispatcher_has_the_attributes_that_ours_sets(name: str) -> None:
    require_documented(f"EventDispatcher.{name}")
    if not hasattr(app.events.Dispatcher(enabled=False), name):
        fail("celery", f"EventDispatcher.{name}", CONSUME, "is gone")


def test_flower_looks_for_its_events_under_the_name_that_ours_replaces() -> None:
    if "Events" not in flower.app.Flower.__init__.__code__.co_names:
        fail("flower", "flower.app.Events", FLOWER, "is not the class that Flower makes its events from")


@pytest.mark.parametrize("name", ["io_loop", "state"])
def test_the_events_of_flower_have_the_attributes_that_ours_uses(name: str) -> None:
    require_documented(f"Events.{name}")
    if f"self.{name} =" not in inspect.getsource(flower.events.Events.__init__):
        fail("flower", f"Events.{name}", FLOWER, "is gone")


def test_a_task_of_flower_keeps_its_children_in_a_set_that_ours_replaces() -> None:
    from celery.events.state import Task

    require_documented("Task.children")
    if type(Task(uuid="a").children).__name__ != "WeakSet":
        fail("celery", "Task.children", FLOWER, "is no WeakSet")
