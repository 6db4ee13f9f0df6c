"""Messages from the template: the same as those that Celery itself would publish."""

import json
from typing import Any, cast

import pytest
import redis

from tasks.app import app
from tasks.envelope import Envelope, files_header, header_text
from tasks.messages import FileItem, FilesMessage, Target
from tasks.queues import FILES, PROCESS_FILES

# A job, a name and a text with everything that a template or JSON could trip over.
JOB = 'job "100 %" %(id)s'
SHOWN = "a \"b\" 'c' \\ 50 % %(body)s ü \n.jpg"
ARGUMENTS = FilesMessage(
    Target("pictures", "clip", ""), JOB, "file:///r", [FileItem(3, "file:///r/a%20b.jpg")]
).to_wire()


def by_celery(client: redis.Redis) -> dict[str, Any]:
    app.send_task(
        PROCESS_FILES,
        kwargs=ARGUMENTS,
        queue=FILES,
        root_id=JOB,
        parent_id=JOB,
        argsrepr=SHOWN,
        kwargsrepr="{}",
        headers=files_header(JOB, [3]),
    )
    return taken(client)


def by_template(client: redis.Redis) -> dict[str, Any]:
    client.lpush(FILES, Envelope(PROCESS_FILES, FILES, parent=JOB).message(ARGUMENTS, SHOWN, [3]))
    return taken(client)


def taken(client: redis.Redis) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(cast(bytes, client.rpop(FILES)))
    return message


@pytest.mark.parametrize("part", ["headers", "properties"])
def test_everything_but_the_ids_is_as_celery_writes_it(client: redis.Redis, part: str) -> None:
    ours, celerys = by_template(client)[part], by_celery(client)[part]
    own = {"id", "correlation_id", "delivery_tag"}
    assert {key: value for key, value in ours.items() if key not in own} == {
        key: celerys[key] for key in ours.keys() - own
    }
    left_out = {key: value for key, value in celerys.items() if key not in ours}
    # What Flower shows stands in the headers already, and nobody waits for a reply.
    assert not any(left_out[key] for key in left_out.keys() - {"argsrepr", "kwargsrepr", "reply_to"})


def test_the_body_and_how_it_is_written_are_celerys(client: redis.Redis) -> None:
    ours, celerys = by_template(client), by_celery(client)
    for key in ("body", "content-encoding", "content-type"):
        assert ours[key] == celerys[key]


def test_one_id_names_a_task_everywhere_and_no_other_task(client: redis.Redis) -> None:
    envelope = Envelope(PROCESS_FILES, FILES, parent=JOB)
    messages = [json.loads(envelope.message(ARGUMENTS, SHOWN, [3])) for _ in range(300)]
    messages += [
        json.loads(Envelope(PROCESS_FILES, FILES, parent=JOB).message(ARGUMENTS, SHOWN, [3])) for _ in range(3)
    ]
    ids = [message["headers"]["id"] for message in messages]
    assert len(set(ids)) == 303
    assert ids == [message["properties"]["correlation_id"] for message in messages]
    assert ids == [message["properties"]["delivery_tag"] for message in messages]


def test_the_files_of_a_message_are_found_in_its_text(client: redis.Redis) -> None:
    for raw in (json.dumps(by_template(client)), json.dumps(by_celery(client))):
        assert raw.split(header_text(JOB))[1].startswith('3"')
