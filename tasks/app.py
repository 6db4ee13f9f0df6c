"""The Celery app that both sides share."""

import importlib
from types import ModuleType
from typing import Any, ClassVar

from celery import Celery
from celery.loaders.app import AppLoader
from kombu.transport import TRANSPORT_ALIASES

from settings import Settings, load_settings
from tasks.broker import celery_options, keepalive_options, sentinel_options
from tasks.queues import CONTROL, EVENTS, FILES, INTERNAL, ROUTES

_WITHOUT_EVENTS = {task: {"send_events": False} for task in INTERNAL}

# By the schemes of the URLs, because kombu ignores `broker_transport` for a Unix socket (redis+socket://).
TRANSPORT_ALIASES.update(redis="tasks.transport:Transport", rediss="tasks.transport:Transport")
TRANSPORT_ALIASES["sentinel"] = "tasks.transport:SentinelTransport"


class Loader(AppLoader):
    """Celery's own loader, without its look into the working directory, where modules of others may lie."""

    override_backends: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("redis", "rediss"), "tasks.transport.results:RedisBackend"),
        "sentinel": "tasks.transport.results:SentinelBackend",
    }

    def import_from_cwd(self, module: str, imp: Any = None, package: str | None = None) -> ModuleType:
        """Import a module, and never from the working directory."""
        return importlib.import_module(module, package)


def make_app(settings: Settings) -> Celery:
    """A Celery app for these settings: msgpack only, late acknowledgements, short leases."""
    # No fixups: the only one puts the working directory on the path, wherever the environment names settings of Django.
    app = Celery("darkroom", loader="tasks.app:Loader", fixups=[])
    app.conf.update(
        celery_options(settings),
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # An error with which Redis answers must not end a worker.
        broker_channel_error_retry=True,
        broker_transport_options={
            "visibility_timeout": settings.broker.visibility_timeout,
            # With the defaults, kombu looks for lost messages only every 100 s.
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "priority_steps": [0],
            "queue_order_strategy": "priority",
            "socket_timeout": 30,
            "socket_keepalive": True,
            "socket_keepalive_options": keepalive_options(),
            **sentinel_options(settings),
        },
        result_backend_transport_options={"retry_policy": {"timeout": 10.0}, **sentinel_options(settings)},
        redis_socket_timeout=60,
        # Not Celery's names: another Celery application on this database would get our broadcasts, and we its.
        control_exchange=CONTROL,
        event_exchange=EVENTS,
        task_serializer="msgpack",
        result_serializer="msgpack",
        # A fourth of the time of json, and a worker sends three events a file.
        event_serializer="msgpack",
        accept_content=["msgpack", "json"],
        result_accept_content=["msgpack", "json"],
        task_default_queue=FILES,
        task_routes=ROUTES,
        task_acks_late=True,
        task_acks_on_failure_or_timeout=True,
        task_ignore_result=True,
        task_send_sent_event=False,
        # About 5 s in all, long enough for a restart of Redis.
        task_publish_retry_policy={"max_retries": 8, "interval_start": 0.1, "interval_step": 0.2, "interval_max": 1.0},
        worker_send_task_events=True,
        # Flower enables events on all workers; a task with `send_events=False` sends none nevertheless.
        task_annotations={} if settings.flower.events == "all" else _WITHOUT_EVENTS,
        worker_prefetch_multiplier=1,
        # Otherwise Celery changes the prefetch count after a reconnect, and the threads for questions get files, too.
        worker_enable_prefetch_count_reduction=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_enable_remote_control=True,
        worker_soft_shutdown_timeout=0,
        result_expires=600,
        enable_utc=True,
    )
    return app


app = make_app(load_settings())
