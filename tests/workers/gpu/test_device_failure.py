"""A device that fails or hangs: its files are nobody's failures, and a picture at fault still fails alone."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import redis
from numpy.typing import NDArray

from pictures.decode import decode
from pictures.picture import Pixels
from settings import load_settings
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage, Target
from tests.pictures.made.pictures import local_path
from tests.until import until
from tests.workers.gpu.bench import files_of
from workers.gpu.pipeline import Pipeline
from workers.inference.null import NullClip

Embed = Callable[[Sequence[Pixels]], NDArray[np.float32]]
# Longer than a pass waits for its turn on a busy machine.
HANG_SECONDS = 60


class Device:
    """A pipeline on a null model whose passes go through `fault`; `told` is what it says of its device."""

    def __init__(
        self, client: redis.Redis, fault: Callable[[Embed, Sequence[Pixels]], NDArray[np.float32]], hang_seconds: int
    ) -> None:
        clip = NullClip("null")
        embed = clip.embed_pictures
        clip.embed_pictures = lambda pictures: fault(embed, pictures)  # type: ignore[method-assign]  # the fault
        settings = load_settings()
        gpu = settings.gpu.model_copy(update={"batch_clip": 4, "hang_seconds": hang_seconds})
        self.told: list[str] = []
        self.messages: list[PointsMessage] = []
        self.ledger = Ledger(client, "job")
        self.pipeline = Pipeline(
            settings.model_copy(update={"gpu": gpu}),
            clip,
            None,
            lambda shas: [None] * len(shas),
            self.messages.append,
            on_device_failed=self._on_device_failed,
        )

    def _on_device_failed(self, sentence: str) -> None:
        self.told.append(sentence)
        self.pipeline.cancel(0)

    def process(self, files: list[FileItem], redelivered: bool = False) -> list[BaseException | None]:
        """Bring each file through as a message of its own, many at once; the error that each message ended with."""

        def one(item: FileItem) -> None:
            self.pipeline.process(
                FilesMessage(Target("pictures", self.pipeline.clip.name), "job", "file:///root", [item]),
                self.ledger,
                redelivered,
            )

        with ThreadPoolExecutor(len(files)) as pool:
            return [done.exception(60) for done in [pool.submit(one, item) for item in files]]

    @property
    def stored(self) -> set[int]:
        """The numbers of the files that were published."""
        return {number for message in self.messages for number in message.numbers}


OpenDevice = Callable[..., Device]


@pytest.fixture
def open_device(client: redis.Redis) -> Iterator[OpenDevice]:
    opened: list[Device] = []

    def open_one(
        fault: Callable[[Embed, Sequence[Pixels]], NDArray[np.float32]], hang_seconds: int = HANG_SECONDS
    ) -> Device:
        opened.append(Device(client, fault, hang_seconds))
        return opened[-1]

    yield open_one
    for device in opened:
        device.pipeline.close()


@pytest.mark.parametrize("redelivered", [False, True])
def test_a_device_that_fails_has_no_failed_files_and_says_so_once(
    open_device: OpenDevice, folder: Path, redelivered: bool
) -> None:
    passes = []

    def fault(embed: Embed, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        passes.append(len(pictures))
        if len(passes) > 2:
            raise RuntimeError("CUDA error: an illegal memory access was encountered\nCompile with TORCH_USE_CUDA_DSA")
        return embed(pictures)

    device = open_device(fault)
    files = files_of(folder, 20)
    errors = device.process(files, redelivered)
    assert {type(error) for error in errors if error} == {CancelledError}
    # What was on its way to storage when the device failed is published as well as given back: it is stored once.
    assert {item.number for item, error in zip(files, errors, strict=True) if error is None} <= device.stored
    assert len(device.stored) < len(files)
    assert device.ledger.failures() == []
    assert set(device.ledger.attempts([item.number for item in files]).values()) == {0}
    assert device.told == [
        "The device fails: null cannot compute a blank picture "
        "(RuntimeError: CUDA error: an illegal memory access was encountered)."
    ]


def test_embeddings_that_are_not_finite_for_any_picture_are_the_fault_of_the_device(
    open_device: OpenDevice, folder: Path
) -> None:
    device = open_device(lambda embed, pictures: embed(pictures) * np.float32("nan"))
    errors = device.process(files_of(folder, 6))
    assert {type(error) for error in errors} == {CancelledError}
    assert device.ledger.failures() == []
    assert len(device.told) == 1


def test_a_picture_that_no_model_computes_fails_alone(open_device: OpenDevice, folder: Path) -> None:
    files = files_of(folder, 9)
    device = open_device(lambda embed, pictures: embed(pictures))
    data = local_path(files[4].uri).read_bytes()
    bad = decode(data, 10**6, device.pipeline.clip.model_input, None).clip
    device.pipeline.close()

    def fault(embed: Embed, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        if any((picture == bad).all() for picture in pictures):
            raise RuntimeError("this one")
        return embed(pictures)

    device = open_device(fault)
    assert device.process(files) == [None] * len(files)
    assert [failure.number for failure in device.ledger.failures()] == [files[4].number]
    assert device.stored == {item.number for item in files} - {files[4].number}
    assert device.told == []


def test_a_device_that_was_in_trouble_for_a_moment_loses_no_picture(open_device: OpenDevice, folder: Path) -> None:
    troubles = iter([True, True])

    def fault(embed: Embed, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        if next(troubles, False):
            raise MemoryError
        return embed(pictures)

    device = open_device(fault)
    files = files_of(folder, 3)
    assert device.process(files) == [None] * 3
    assert device.stored == {item.number for item in files}


def test_a_model_that_hangs_gives_its_files_back(open_device: OpenDevice, folder: Path) -> None:
    go_on = threading.Event()
    passes = []

    def fault(embed: Embed, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        passes.append(len(pictures))
        if len(passes) > 1:
            go_on.wait(60)
        return embed(pictures)

    device = open_device(fault, hang_seconds=1)
    files = files_of(folder, 12)
    try:
        errors = device.process(files)
    finally:
        go_on.set()
    assert {type(error) for error in errors if error} == {CancelledError}
    # What was on its way to storage when the device failed is published as well as given back: it is stored once.
    assert {item.number for item, error in zip(files, errors, strict=True) if error is None} <= device.stored
    assert device.ledger.failures() == []
    assert len(device.told) == 1
    assert "The device hangs: null has not computed" in device.told[0]


def test_the_first_pass_may_take_longer_than_the_later_ones(open_device: OpenDevice, folder: Path) -> None:
    seen: list[float] = []

    def fault(embed: Embed, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        watchdog = device.pipeline.models._watchdog
        seen.extend(deadline - watchdog._now for deadline, _ in watchdog._watched.values())
        return embed(pictures)

    device = open_device(fault)
    device.process(files_of(folder, 1))
    until(lambda: len(seen) == 1, "the first pass")
    device.process(files_of(folder, 2)[1:])
    first, second = seen
    assert first > 4 * HANG_SECONDS
    assert second < 2 * HANG_SECONDS
