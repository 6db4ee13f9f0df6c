"""A loader in a process of its own: it reads and decodes while this process computes, and crashes or hangs alone."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import Any

from pictures.picture import Content, LoadError, Picture, Sidecar
from workers.gpu.loading.child_process import ChildProcess, LoaderDied
from workers.gpu.loading.loader import Loading, Reading, too_slow
from workers.gpu.loading.memory_budget import MemoryBudget, NoRoom
from workers.gpu.loading.picture_loader import Decoded, Inputs, Read
from workers.gpu.loading.slots import PictureSlots, SharedSlots
from workers.gpu.loading.wire import error_from_wire, inputs_to_wire, unpacked
from workers.metrics import loaded

log = logging.getLogger("darkroom.gpu")

# Files that a loader is given at once: what a message between two processes costs is shared among them.
BATCH = 8
# Of the room for files a loader is given so much a file in advance, and what needs more asks for it.
ROOM_BYTES = 4 << 20
# All loaders together are given at most this share of it.
ROOM_SHARE = 4
# So often a file may take its loader down before it fails: once beside others, once by itself.
TRIES = 2

_tokens = count(1)


class KeptContent(Content):
    """A content whose bytes lie in a loader process, until it has loaded them, or is told the token in `dropped`."""

    def __init__(self, token: int, size: int, sha256: str, mtime: int, sidecar: Sidecar | None) -> None:
        super().__init__(b"", sha256, mtime, sidecar)
        self.token = token
        self.dropped: deque[int] | None = None
        self._size = size

    @property
    def size(self) -> int:
        """The number of bytes."""
        return self._size

    def forget(self) -> None:
        """Have the loader let go of the bytes."""
        if self.dropped is not None:
            self.dropped.append(self.token)
            self.dropped = None

    # Nobody forgets the files of a job that was stopped.
    __del__ = forget


class LoaderProcess:
    """See Loader. `budget` is the room for the bytes of files, and the pixels of pictures wait for free `slots`.

    A file that its process dies of is tried once more by itself, and then fails; one that hangs fails at once, after
    `seconds`. Its neighbours go through. `room` is how many bytes of the budget are given for a file in advance.
    """

    batch = BATCH

    def __init__(
        self, process: ChildProcess, slots: SharedSlots, budget: MemoryBudget, room: int, seconds: float
    ) -> None:
        self._process = process
        self._slots = slots
        self._budget = budget
        self._room = room
        self._seconds = seconds
        self._dropped: deque[int] = deque()

    def start(self) -> None:
        """See Loader."""
        self._process.start()

    def read(self, readings: Sequence[Reading]) -> list[list[Read]]:
        """See Loader."""
        files = [(group, item) for group, reading in enumerate(readings) for item in reading.files]
        reserved: dict[int, int] = {}

        def ask(places: list[int]) -> list[Any]:
            def reserve(place: int, size: int) -> bool:
                # Still reserved where the loader died since.
                if reserved.get(places[place], -1) < size:
                    try:
                        readings[files[places[place]][0]].lease.reserve(size)
                    except NoRoom:
                        return False
                    reserved[places[place]] = size
                return True

            asked: list[Any] = []
            for place in places:
                group, item = files[place]
                asked.append([next(_tokens), group, readings[group].root, item.uri, item.may_have_sidecar])
            room, used = self._room * len(places), 0
            if not self._budget.try_take(room):
                room = 0
            try:
                answers = self._process.ask(["read", room, self._drop(), asked], reserve)
                found: list[Any] = []
                for (token, group, *_), answer in zip(asked, answers, strict=True):
                    content, taken = self._content(token, answer)
                    readings[group].lease.adopt(taken)
                    used += taken
                    found.append(content)
                return found
            finally:
                self._budget.give_back(room - used)

        outcomes = self._each([item.uri for _, item in files], ask)
        lists: list[list[Read]] = [[] for _ in readings]
        for (group, _), outcome in zip(files, outcomes, strict=True):
            contents = lists[group]
            if outcome is not None and not (contents and isinstance(contents[-1], NoRoom)):
                contents.append(outcome)
        for reading, contents in zip(readings, lists, strict=True):
            reading.lease.settle(sum(content.size for content in contents if isinstance(content, Content)))
        return lists

    def load(self, loadings: Sequence[Loading]) -> Iterator[Decoded]:
        """See Loader; a picture keeps its slots until nobody holds its pixels any more."""
        waiting = deque(loadings)
        while waiting:
            chunk: list[Loading] = []
            taken: list[PictureSlots] = []
            # Whoever waits for a slot holds none, so those who hold them come to their end.
            while waiting and (slots := self._slots.take(waiting[0].inputs, wait=not chunk)) is not None:
                chunk.append(waiting.popleft())
                taken.append(slots)
            outcomes = deque(self._load(chunk, taken))
            while outcomes:
                yield outcomes.popleft()

    def decode(self, data: bytes, name: str, inputs: Inputs) -> Picture:
        """See Loader."""
        slots = self._slots.take(inputs, wait=True)
        assert slots is not None

        def ask(places: list[int]) -> list[Any]:
            request = ["decode", data, inputs_to_wire(inputs), slots.offsets]
            return [_decoded(answer, slots) for answer in self._process.ask(request, _reserve_nothing)]

        try:
            (outcome,) = self._each([name], ask)
        finally:
            slots.give_back()
        if isinstance(outcome, Exception):
            raise outcome
        assert isinstance(outcome, Picture)
        return outcome

    def close(self) -> None:
        """See Loader."""
        self._process.close()

    def _load(self, chunk: list[Loading], taken: list[PictureSlots]) -> list[Decoded]:
        wires = list(dict.fromkeys(each.inputs for each in chunk if each.inputs is not None))

        def ask(places: list[int]) -> list[Any]:
            asked = []
            for place in places:
                each, item, content = chunk[place], chunk[place].item, chunk[place].content
                assert isinstance(content, KeptContent)
                wanted = None if each.inputs is None else wires.index(each.inputs)
                file = content.token, each.root, item.uri, item.may_have_sidecar, content.sha256
                asked.append([*file, wanted, taken[place].offsets])
            request = ["load", self._drop(), [inputs_to_wire(inputs) for inputs in wires], asked]
            answers = self._process.ask(request, _reserve_nothing)
            return [_decoded(answer, taken[place]) for place, answer in zip(places, answers, strict=True)]

        try:
            return self._each([each.item.uri for each in chunk], ask)
        finally:
            for each, slots in zip(chunk, taken, strict=True):
                slots.give_back()
                if isinstance(each.content, KeptContent):
                    each.content.dropped = None  # the loader has let go of it

    def _each(self, names: Sequence[str], ask: Callable[[list[int]], list[Any]]) -> list[Any]:
        """What becomes of each file, by its place; `ask` asks for some of them, and is told again if a loader died."""
        outcomes: list[Any] = [None] * len(names)
        groups, deaths = deque([list(range(len(names)))]), Counter[int]()
        while groups:
            places = groups.popleft()
            try:
                for place, outcome in zip(places, ask(places), strict=True):
                    outcomes[place] = outcome
            except LoaderDied as died:
                if died.place is None:
                    groups.appendleft(places)
                    continue
                place = places.pop(died.place)
                if places:
                    groups.appendleft(places)
                log.warning("%s: the loader %s while working on it", names[place], died.how)
                deaths[place] += 1
                if died.hangs:
                    outcomes[place] = LoadError("load", too_slow(self._seconds))
                elif deaths[place] < TRIES:
                    groups.append([place])
                else:
                    outcomes[place] = LoadError("load", f"its loader died while working on it, {TRIES} times over")
        return outcomes

    def _content(self, token: int, answer: bytes | None) -> tuple[Read | None, int]:
        """What was read, and the bytes that it took of the room that was given in advance."""
        if answer is None:
            return None, 0
        wire = unpacked(answer)
        if (error := error_from_wire(wire)) is not None:
            return error, 0
        _, seconds, size, sha256, mtime, version, taken = wire
        loaded(seconds)
        sidecar = None if version is None else Sidecar(b"", (version[0], version[1]))
        content = KeptContent(token, size, sha256, mtime, sidecar)
        content.dropped = self._dropped
        return content, taken

    def _drop(self) -> list[int]:
        return [self._dropped.popleft() for _ in range(len(self._dropped))]


def _reserve_nothing(place: int, size: int) -> bool:
    """What is loaded was read before, and has its memory."""
    return True


def _decoded(answer: bytes | None, slots: PictureSlots) -> Decoded:
    assert answer is not None
    wire = unpacked(answer)
    if isinstance(error := error_from_wire(wire), LoadError):
        return error
    loaded(wire[1])
    if wire[0] == "facts":
        facts: dict[str, Any] = wire[2]
        return facts
    format_name, width, height, facts, shapes = wire[2:]
    clip, blip, text = slots.pictures(shapes)
    assert clip is not None
    return Picture(format_name, width, height, clip, blip, text, facts)
