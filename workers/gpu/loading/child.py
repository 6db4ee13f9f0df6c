"""A loader process: `child SOCKET SLOTS BOARD NUMBER LOADERS`, of which its GPU worker has opened the first three.

It has one thread that loads, and ends with its worker. Nothing here imports torch, Celery or Redis.
"""

import mmap
import os
import pickle
import select
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from pictures.picture import Content, LoadError, Picture, Pixels, no_limit
from settings import Settings
from settings.process_name import worker_name
from workers.gpu.loading.board import Board, SharedPixels, WatchedFile
from workers.gpu.loading.memory_budget import NoRoom
from workers.gpu.loading.picture_loader import Inputs, PictureLoader, failure
from workers.gpu.loading.wire import error_to_wire, inputs_from_wire, packed, picture_to_wire, unpacked
from workers.logs import about_file, write_to_stderr

# Where memory is short, the kernel is to end a loader rather than what has warm models (proc(5), oom_score_adj).
OOM_SCORE = "500"


class Child:
    """Answers one request after the other, and keeps what was read until it is loaded, by its token."""

    def __init__(self, connection: Connection, slots: int, board: Board, number: int) -> None:
        settings, keeps_thumbnails = pickle.loads(connection.recv_bytes())
        assert isinstance(settings, Settings)
        write_to_stderr(worker_name(f"loader {number}"), settings)
        self._connection = connection
        self._slots = slots
        self._memory = memoryview(b"")
        self._board = board
        self._number = number
        pixels = SharedPixels(board, number, settings.ingest.max_pixels)
        self._files = PictureLoader(settings, pixels, keeps_thumbnails, processes=board.loaders)
        self._kept: dict[int, Content] = {}

    def answer(self) -> None:
        """Answer one request; raises EOFError or OSError when the GPU worker is gone."""
        kind, *request = unpacked(self._connection.recv_bytes())
        if kind == "read":
            answers: Sequence[bytes | None] = self._read(*request)
        elif kind == "load":
            answers = self._load(*request)
        else:
            answers = [self._decode(*request)]
        self._connection.send_bytes(packed(["done", answers]))

    def _read(self, room: int, dropped: Sequence[int], files: Sequence[Sequence[Any]]) -> list[bytes | None]:
        self._drop(dropped)
        answers: list[bytes | None] = []
        full: set[int] = set()
        for place, (token, group, root, uri, may_have_sidecar) in enumerate(files):
            if group in full:
                answers.append(None)
                continue
            taken = 0

            def reserve(size: int, place: int = place) -> None:
                nonlocal room, taken
                if size <= room:
                    room -= size
                    taken += size
                    return
                self._connection.send_bytes(packed(["reserve", place, size]))
                if not unpacked(self._connection.recv_bytes()):
                    raise NoRoom(size)

            limit = WatchedFile(self._board, self._number, place)
            content = self._files.read(root, uri, may_have_sidecar, reserve, limit)
            if isinstance(content, Content):
                self._kept[token] = content
                version = content.sidecar and content.sidecar.version
                found = ["read", limit.seconds, content.size, content.sha256, content.mtime, version, taken]
                answers.append(packed(found))
                continue
            if isinstance(content, NoRoom):
                full.add(group)
            answers.append(packed(error_to_wire(content)))
        return answers

    def _load(
        self, dropped: Sequence[int], inputs: Sequence[Any], files: Sequence[Sequence[Any]]
    ) -> Sequence[bytes | None]:
        self._drop(dropped)
        wanted = [inputs_from_wire(wire) for wire in inputs]
        answers = []
        for place, (*file, number, offsets) in enumerate(files):
            limit = WatchedFile(self._board, self._number, place)
            work = partial(self._load_one, file, None if number is None else wanted[number], offsets, limit)
            answers.append(_answer(file[2], work))
        return answers

    def _load_one(
        self, file: Sequence[Any], inputs: Inputs | None, offsets: Sequence[int | None], limit: WatchedFile
    ) -> bytes:
        token, root, uri, may_have_sidecar, sha256 = file
        content = self._kept.pop(token, None) or self._read_again(root, uri, may_have_sidecar, sha256, limit)
        found = self._files.load(content, inputs, limit)
        if isinstance(found, Picture):
            self._write(found, offsets)
            return packed(picture_to_wire(found, limit.seconds))
        return packed(["facts", limit.seconds, found])

    def _decode(self, data: bytes, inputs: Sequence[Any], offsets: Sequence[int]) -> bytes:
        limit = WatchedFile(self._board, self._number, 0)

        def decode() -> bytes:
            targets = inputs_from_wire(inputs)
            assert isinstance(targets, Inputs)
            picture = self._files.decode(data, targets, limit)
            self._write(picture, offsets)
            return packed(picture_to_wire(picture, limit.seconds))

        return _answer("", decode)

    def _read_again(self, root: str, uri: str, may_have_sidecar: bool, sha256: str, limit: WatchedFile) -> Content:
        """What the loader before this one had read; the memory for it is still reserved."""
        content = self._files.read(root, uri, may_have_sidecar, no_limit, limit)
        if not isinstance(content, Content):
            raise content
        if content.sha256 != sha256:
            raise LoadError("read", "the file changed while it was read; ingest it again when it is at rest")
        return content

    def _drop(self, tokens: Sequence[int]) -> None:
        for token in tokens:
            self._kept.pop(token, None)

    def _write(self, picture: Picture, offsets: Sequence[int | None]) -> None:
        for pixels, offset in zip((picture.clip, picture.blip, picture.text), offsets, strict=True):
            if pixels is not None and offset is not None:
                self._put(pixels, offset)

    def _put(self, pixels: Pixels, offset: int) -> None:
        end = offset + pixels.nbytes
        if end > len(self._memory):
            # The file has grown: slots for one more model.
            self._memory = memoryview(mmap.mmap(self._slots, os.fstat(self._slots).st_size))
        np.frombuffer(self._memory, np.uint8, pixels.nbytes, offset)[:] = pixels.reshape(-1)


def _answer(uri: str, work: Callable[[], bytes]) -> bytes:
    with about_file(uri):
        try:
            return work()
        except Exception as error:  # whatever a file makes a decoder raise is the failure of that file
            return packed(error_to_wire(failure(error)))


def end_with(descriptor: int) -> None:
    """End this process once the other side of this socket is closed, also in the midst of a file."""
    poll = select.poll()
    poll.register(descriptor, 0)  # a hang-up is always told
    poll.poll()
    os._exit(0)


def main(socket: str, slots: str, board: str, number: str, loaders: str) -> None:
    """Answer until the GPU worker is gone."""
    # Ctrl-C and a polite stop are for the worker, which needs its loaders until its files are done.
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    with suppress(OSError):  # not Linux
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    threading.Thread(target=end_with, args=(int(socket),), name="parent", daemon=True).start()
    with suppress(EOFError, OSError):
        child = Child(Connection(int(socket)), int(slots), Board(int(loaders), int(board)), int(number))
        while True:
            child.answer()


if __name__ == "__main__":
    main(*sys.argv[1:])
