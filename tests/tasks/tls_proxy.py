"""TLS in front of a plain Redis on a Unix socket, as stunnel or a managed Redis has it."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress


@contextmanager
def tls_proxy(context: ssl.SSLContext, behind: str) -> Iterator[int]:
    """The port on localhost that takes TLS connections for the Unix socket `behind`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, behind), daemon=True).start()
        yield int(listener.getsockname()[1])
        # Closing a socket does not wake a thread that accepts on it.
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, context: ssl.SSLContext, behind: str) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(plain, context, behind), daemon=True).start()


def _connect(plain: socket.socket, context: ssl.SSLContext, behind: str) -> None:
    with suppress(OSError), closing(plain):
        encrypted = context.wrap_socket(plain, server_side=True)
        with closing(encrypted), closing(socket.socket(socket.AF_UNIX)) as server:
            server.connect(behind)
            back = threading.Thread(target=_pump, args=(server, encrypted), daemon=True)
            back.start()
            _pump(encrypted, server)
            back.join()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
