"""Loader processes: what they load is what a thread loads, and a file that kills or hangs one fails by itself."""

import os
import random
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import redis
from PIL import Image

from pictures.picture import LoadError, Picture
from pictures.preprocessing import ModelInput, WholeInput
from settings import Settings, load_settings
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage, Target
from tests.chaos.deadly import HOOKS
from tests.chaos.magic import ABORTS, HANGS
from tests.conftest import ROOT
from tests.pictures.made.pictures import encoded, quarters
from tests.until import until
from workers.gpu.delivery import KnownContent
from workers.gpu.loading import child_process
from workers.gpu.loading.board import PLACE, Board
from workers.gpu.loading.child_process import ChildProcess
from workers.gpu.loading.choice import loaders_of
from workers.gpu.loading.loader import LoaderHere, Loading, Reading
from workers.gpu.loading.memory_budget import Lease, MemoryBudget
from workers.gpu.loading.picture_loader import Inputs
from workers.gpu.loading.process import KeptContent, LoaderProcess
from workers.gpu.pipeline import Pipeline
from workers.inference.null import NullClip

TARGET = Target("pictures", "null")
GREY = (0.5, 0.5, 0.5)
# Longer than a loader waits for its turn on a busy machine: the neighbours of a file that hangs have no more time.
HANG_SECONDS = 5
# Three models that see the same picture in three ways, one of them whole.
INPUTS = Inputs(
    ModelInput(24, 24, 24, int(Image.Resampling.BICUBIC), GREY, GREY),
    ModelInput(40, 40, (40, 40), int(Image.Resampling.BILINEAR), GREY, GREY),
    WholeInput(100),
)


class Worker:
    """A pipeline of the null model with loader processes, and what it has published."""

    def __init__(self, settings: Settings, processes: int) -> None:
        self.messages: list[PointsMessage] = []
        self.peak = 0
        self.while_looked_up: Callable[[], None] = lambda: None
        self.known: dict[str, KnownContent] = {}
        publish = lambda message: self.messages.append(message)  # noqa: E731, the list is another one in each test
        self.pipeline = Pipeline(settings, NullClip("null"), None, self._look_up, publish, processes=processes)

    def on(self, ledger: Ledger) -> "Worker":
        """The same worker for another job."""
        self.ledger, self.messages, self.known, self.while_looked_up = ledger, [], {}, lambda: None
        return self

    def _look_up(self, shas: list[str]) -> list[KnownContent | None]:
        self.peak = max(self.peak, self.pipeline._budget.taken)
        self.while_looked_up()
        return [self.known.get(sha) for sha in shas]

    def process(self, messages: Sequence[list[FileItem]], redelivered: bool = False) -> None:
        """Bring all messages through at once, as the threads of a worker do."""

        def one(files: list[FileItem]) -> None:
            self.pipeline.process(FilesMessage(TARGET, "job", "file:///root", files), self.ledger, redelivered)

        with ThreadPoolExecutor(len(messages)) as pool:
            list(pool.map(one, messages))

    def rows(self) -> dict[int, tuple[bytes, dict[str, object]]]:
        """number -> vector and payload; none may have been published twice."""
        found: dict[int, tuple[bytes, dict[str, object]]] = {}
        for message in self.messages:
            vectors = np.frombuffer(message.vectors, "<f4").reshape(-1, message.dim)
            for number, vector, payload in zip(message.numbers, vectors, message.payloads, strict=True):
                assert number not in found
                found[number] = vector.tobytes(), {name: payload[name] for name in payload if name != "indexed_at"}
        return found

    def failures(self) -> dict[int, str]:
        """number -> the reason on the job's error list."""
        return {failure.number: failure.reason for failure in self.ledger.failures()}

    def gives_up_after(self, seconds: int, patch: pytest.MonkeyPatch) -> None:
        """Let its loaders be at one file for no longer than this."""
        for loader in self.pipeline.loaders.loaders:
            assert isinstance(loader, LoaderProcess)
            patch.setattr(loader, "_seconds", seconds)
            patch.setattr(loader._process, "_seconds", seconds)

    def kill_a_loader(self) -> None:
        """As the kernel does where memory is short."""
        loader = self.pipeline.loaders.loaders[0]
        assert isinstance(loader, LoaderProcess)
        process = loader._process._process
        assert process is not None
        os.kill(process.pid, signal.SIGKILL)


def own_settings(load_seconds: int = 60, **gpu: object) -> Settings:
    """Settings in which a file may take longer to load than a machine stands still, unless the test is about that."""
    settings = load_settings()
    ingest = settings.ingest.model_copy(update={"load_seconds": load_seconds})
    return settings.model_copy(update={"ingest": ingest, "gpu": settings.gpu.model_copy(update=gpu)})


@pytest.fixture(scope="module")
def running() -> Iterator[Worker]:
    """A worker of two loader processes, which run on from test to test; deadly files are deadly for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{HOOKS}{os.pathsep}{ROOT}")
        worker = Worker(own_settings(), 2)
        yield worker
        worker.pipeline.close()


@pytest.fixture
def worker(running: Worker, client: redis.Redis) -> Worker:
    """The same for a job of its own."""
    return running.on(Ledger(client, "job"))


def items_of(folder: Path) -> list[FileItem]:
    return [FileItem(number, path.as_uri()) for number, path in enumerate(sorted(folder.iterdir()))]


@pytest.fixture
def mixed(folder: Path, tmp_path: Path) -> list[FileItem]:
    """Sound pictures, one with notes beside it, a damaged one, two that are none, and one that is not there."""
    album = tmp_path / "album"
    album.mkdir()
    for path in sorted(folder.iterdir())[:12]:
        (album / path.name).write_bytes(path.read_bytes())
    whole = encoded(quarters(300, 200), "JPEG")
    (album / "cut.jpg").write_bytes(whole[: len(whole) * 99 // 100])
    (album / "noted.jpg").write_bytes(whole)
    (album / "text.jpg").write_bytes(b"no picture")
    (album / "void.jpg").write_bytes(b"")
    files = items_of(album)
    (album / "noted.xmp").write_text(
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="4"/></rdf:RDF></x:xmpmeta>'
    )
    return [*files, FileItem(90, (album / "gone.jpg").as_uri())]


@pytest.mark.parametrize("files_per_task", [1, 5])
def test_what_processes_load_is_what_threads_load(
    worker: Worker, client: redis.Redis, mixed: list[FileItem], files_per_task: int
) -> None:
    messages = [mixed[start : start + files_per_task] for start in range(0, len(mixed), files_per_task)]
    worker.process(messages)
    here = Worker(own_settings(), 0).on(Ledger(client, "other"))
    here.process(messages)
    here.pipeline.close()
    assert worker.rows() == here.rows()
    assert len(worker.rows()) == 14
    assert worker.failures() == here.failures()
    assert len(worker.failures()) == 3
    assert worker.pipeline._budget.taken == 0


def test_a_known_content_is_not_decoded_and_its_facts_are_read_again(worker: Worker, mixed: list[FileItem]) -> None:
    worker.process([mixed])
    first = worker.rows()
    vectors = {str(payload["sha256"]): (vector, payload) for vector, payload in first.values()}
    worker.known = {
        sha: KnownContent(np.frombuffer(vector, "<f4"), {**payload, "width": 7})
        for sha, (vector, payload) in vectors.items()
    }
    worker.messages.clear()
    worker.process([mixed])
    assert worker.rows() == {number: (row[0], {**row[1], "width": 7}) for number, row in first.items()}
    assert [reused for message in worker.messages for reused in message.reused] == [True] * len(first)


@pytest.mark.parametrize(
    ("content", "reason", "redelivered"),
    [
        (ABORTS, "its loader died while working on it, 2 times over", False),
        (ABORTS, "its loader died while working on it, 2 times over", True),
        (HANGS, f"loading it took longer than ingest.load_seconds = {HANG_SECONDS}", False),
    ],
    ids=["aborts", "aborts, redelivered", "hangs"],
)
def test_a_file_that_takes_its_loader_down_fails_by_name_and_its_neighbours_go_through(
    worker: Worker,
    folder: Path,
    tmp_path: Path,
    content: bytes,
    reason: str,
    redelivered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if content == HANGS:
        worker.gives_up_after(HANG_SECONDS, monkeypatch)
    deadly = tmp_path / "deadly.png"
    deadly.write_bytes(content + bytes(100))
    files = items_of(folder)[:12]
    files.insert(5, FileItem(99, deadly.as_uri()))
    # Together in one message, and after it each in one of its own.
    worker.process([files[:8], *([item] for item in files[8:])], redelivered)
    assert worker.failures() == {99: reason}
    assert set(worker.rows()) == {item.number for item in files} - {99}
    assert worker.ledger.attempts([99]) == {99: 0}, "the worker itself was never in danger"


def test_a_loader_that_dies_with_what_it_has_read_loses_nothing(worker: Worker, folder: Path) -> None:
    worker.while_looked_up = worker.kill_a_loader
    files = items_of(folder)[:6]
    worker.process([files])
    assert set(worker.rows()) == {item.number for item in files}
    assert worker.failures() == {}


def test_a_file_that_changes_when_its_loader_dies_is_not_mistaken(worker: Worker, folder: Path, tmp_path: Path) -> None:
    changing, other = tmp_path / "a.png", sorted(folder.iterdir())[1]
    changing.write_bytes(sorted(folder.iterdir())[0].read_bytes())

    def change() -> None:
        worker.kill_a_loader()
        changing.write_bytes(other.read_bytes())

    worker.while_looked_up = change
    worker.process([[FileItem(1, changing.as_uri())]])
    assert worker.failures() == {1: "the file changed while it was read; ingest it again when it is at rest"}


def test_a_picture_to_search_by_is_decoded_by_a_loader(worker: Worker) -> None:
    data = encoded(quarters(300, 200), "PNG")
    picture = worker.pipeline.decode_query(data, "a.png")
    assert (picture.format, picture.width, picture.height, picture.clip.shape) == ("PNG", 300, 200, (4, 4, 3))
    with pytest.raises(LoadError, match="its content is not a picture format"):
        worker.pipeline.decode_query(b"no picture", "b.png")
    with pytest.raises(LoadError, match="its loader died while working on it, 2 times over"):
        worker.pipeline.decode_query(ABORTS + bytes(100), "c.png")


def test_a_job_that_is_stopped_leaves_nothing_in_a_loader(worker: Worker, folder: Path) -> None:
    loaders = worker.pipeline.loaders.loaders
    worker.while_looked_up = lambda: worker.pipeline.stop_job("job")
    with pytest.raises(CancelledError):
        worker.process([items_of(folder)[:3]])
    worker.pipeline._in_flight._stopped.clear()
    dropped = [token for loader in loaders if isinstance(loader, LoaderProcess) for token in loader._dropped]
    assert len(dropped) == 3
    assert worker.pipeline._budget.taken == 0


@pytest.mark.parametrize(("files_per_task", "room"), [(7, 1), (1, 3)])
def test_every_file_comes_through_however_little_room_there_is(
    folder: Path, client: redis.Redis, files_per_task: int, room: int
) -> None:
    limit = room * max(path.stat().st_size for path in folder.iterdir())
    worker = Worker(own_settings(read_bytes=limit), 1).on(Ledger(client, "job"))
    files = items_of(folder)
    random.Random(room).shuffle(files)
    worker.process([files[start : start + files_per_task] for start in range(0, len(files), files_per_task)])
    worker.pipeline.close()
    assert set(worker.rows()) == set(range(len(files)))
    assert worker.failures() == {}
    assert 0 < worker.peak <= limit
    assert worker.pipeline._budget.taken == 0


def test_each_model_sees_the_pixels_that_a_thread_would_show_it(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(5).integers(0, 256, (90, 130, 3), dtype=np.uint8)).save(path)
    item = FileItem(1, path.as_uri())
    seen: list[Picture] = []
    settings = own_settings()
    loaders = [*loaders_of(settings, 1, 1, "cpu", MemoryBudget(10**9), print), LoaderHere(settings, False)]
    for loader in loaders:
        # More pictures than there are slots: each is free again when its picture is.
        for _ in range(12):
            ((content,),) = loader.read([Reading("file:///root", [item], Lease(MemoryBudget(10**9)), no_time)])
            assert not isinstance(content, Exception)
            (picture,) = loader.load([Loading("file:///root", item, content, INPUTS, no_time)])
            assert isinstance(picture, Picture)
            found = picture
        seen.append(found)
    (theirs, ours) = seen
    for mine, other in ((ours.clip, theirs.clip), (ours.blip, theirs.blip), (ours.text, theirs.text)):
        assert mine is not None
        assert other is not None
        assert mine.shape == other.shape
        assert (mine == other).all()
    for loader in loaders:
        loader.close()


def no_time(item: FileItem, reason: str) -> None:
    raise AssertionError(f"{item.uri}: {reason}")


def test_bytes_that_nobody_wants_any_more_are_dropped_by_their_token() -> None:
    dropped: deque[int] = deque()
    content = KeptContent(5, 10, "sha", 0, None)
    content.dropped = dropped
    assert content.size == 10
    del content
    assert list(dropped) == [5]


def test_loaders_that_cannot_work_end_their_worker_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_process, "child_command", lambda *_: (sys.executable, "-c", "raise SystemExit(7)"))
    sentences: list[str] = []
    board = Board(1)
    child = ChildProcess(load_settings(), False, 0, board, board.descriptor, sentences.append)
    loader = LoaderProcess(child, None, MemoryBudget(10**9), 0, 1)  # type: ignore[arg-type]  # it reads nothing
    item = FileItem(1, "file:///a.png")
    with pytest.raises(CancelledError):
        loader.read([Reading("file:///root", [item], Lease(MemoryBudget(1)), no_time)])
    assert sentences == ["The loaders of this worker do not work: number 0 ended with 7, see the log."]


def test_a_loader_ends_with_its_worker_also_in_the_midst_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{HOOKS}{os.pathsep}{ROOT}")
    (loader,) = loaders_of(load_settings(), 1, 1, "cpu", MemoryBudget(10**9), print)
    assert isinstance(loader, LoaderProcess)
    loader.start()
    child = loader._process
    process, connection = child._process, child._connection
    assert process is not None
    assert connection is not None
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(loader.decode, HANGS + bytes(100), "hangs.png", Inputs(INPUTS.clip))
        until(lambda: child._board.get(0, PLACE), "the loader to be at the file")
        # What the kernel does when the worker is killed; this one lives on, and sees its loader gone.
        child._closed = True
        with socket.socket(fileno=os.dup(connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
        assert process.wait(30) == 0
        assert isinstance(asked.exception(30), CancelledError)


def test_a_loader_needs_no_models_no_queue_and_no_redis() -> None:
    code = "import sys, workers.gpu.loading.child; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert {"torch", "transformers", "celery", "kombu", "redis", "tokenizers"} & set(done.stdout.split()) == set()
    assert "PIL" in done.stdout.split()
