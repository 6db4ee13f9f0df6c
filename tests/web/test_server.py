"""How the server listens."""

import socket
from pathlib import Path

from tests.e2e.conftest import free_port
from tests.web.test_tokens import settings_in
from web.server import listening


def test_the_end_of_an_answer_does_not_wait_until_the_client_has_acknowledged_its_beginning(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, port=free_port())
    with listening(settings) as listener, socket.create_connection(listener.getsockname()):
        connection, _ = listener.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
