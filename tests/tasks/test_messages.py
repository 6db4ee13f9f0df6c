"""Messages survive the wire as they were, and nothing in them can run code."""

import msgpack
import numpy as np
import pytest
from kombu.exceptions import ContentDisallowed
from kombu.serialization import dumps, loads

from tasks.app import app
from tasks.messages import SCHEMA, FileItem, FilesMessage, PointsMessage, Target, UnknownSchema

TARGET = Target("pictures", "clip", "blip")


def test_a_files_message_survives_the_wire() -> None:
    message = FilesMessage(
        TARGET, "job", "file:///p", [FileItem(0, "file:///p/a%20b.jpg"), FileItem(7, "file:///p/%FF.png")]
    )
    assert FilesMessage.from_wire(msgpack.unpackb(msgpack.packb(message.to_wire()))) == message


def test_the_form_of_a_message_changes_with_the_number_of_its_schema() -> None:
    target, file = Target("pictures", "clip", "blip", "ocr").to_wire(), FileItem(7, "file:///p/a.jpg", False).to_wire()
    form = (["pictures", "clip", "blip", "ocr"], [7, "file:///p/a.jpg", False])
    # Workers of the same schema, also of an earlier release, read it: for another form SCHEMA is raised as well.
    assert (SCHEMA, (target, file)) == (3, form)


def test_vectors_travel_as_float32_bytes_and_come_back_bit_for_bit() -> None:
    rows = np.random.default_rng(1).normal(size=(3, 5)).astype("<f4")
    message = PointsMessage(TARGET, "job", 5, [1, 2, 3], rows.tobytes(), [{"uri": "file:///a"}] * 3, [False] * 3)
    back = PointsMessage.from_wire(msgpack.unpackb(msgpack.packb(message.to_wire())))
    assert back == message
    assert np.array_equal(np.frombuffer(back.vectors, "<f4").reshape(3, 5), rows)


def test_a_points_message_with_torn_vectors_is_refused() -> None:
    message = PointsMessage(TARGET, "job", 5, [1, 2], b"\0" * 39, [{}, {}], [False, False])
    with pytest.raises(ValueError, match="39 bytes"):
        PointsMessage.from_wire(message.to_wire())


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_for_which_the_ledger_has_no_bit_is_refused_when_the_message_is_read(number: int) -> None:
    files = FilesMessage(TARGET, "job", "file:///p", [FileItem(number, "file:///p/a.jpg")])
    points = PointsMessage(TARGET, "job", 1, [number], b"\0" * 4, [{}], [False])
    for message in (files, points):
        with pytest.raises(ValueError, match="is no number of a file"):
            type(message).from_wire(message.to_wire())


@pytest.mark.parametrize("cls", [FilesMessage, PointsMessage])
def test_a_message_of_another_release_is_named_not_guessed(cls: type[FilesMessage] | type[PointsMessage]) -> None:
    with pytest.raises(UnknownSchema, match="schema 99"):
        cls.from_wire({"schema": 99})


def test_pickle_is_not_accepted_in_tasks_or_results() -> None:
    for accept in (app.conf.accept_content, app.conf.result_accept_content):
        assert set(accept) <= {"json", "msgpack"}
    content_type, encoding, data = dumps({"a": 1}, serializer="pickle")
    with pytest.raises(ContentDisallowed):
        loads(data, content_type, encoding, accept=app.conf.accept_content)
