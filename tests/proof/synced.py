"""What of a process' files is on disk for sure: its calls to sync are followed by strace, and nothing else counts.

The process stops at the end of each call (`strace --inject=...:signal=STOP`), and what was synced is copied while it
stands still. As on every journaling file system, a sync of a new file keeps its name as well; a rename or a removal is
kept by a sync of the folder. Run it in memory (/dev/shm): there an inode number is used once.
"""

import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

STRACE = shutil.which("strace")
MEMORY = Path("/dev/shm")
FILE_SYNCS = "fsync,fdatasync"
SYNCS = f"{FILE_SYNCS},msync"
PAGE = 4096
RENAMES = "rename,renameat,renameat2"
CALLS = f"{SYNCS},{RENAMES}".replace(",", "|")
CALL = re.compile(rf"^(\d+) +(?:<\.\.\. )?({CALLS})(?:\((.*?)\)?| resumed>.*) += (-?\d+)")
BEGUN = re.compile(rf"^(\d+) +({CALLS})\((.*) <unfinished \.\.\.>")
NAMED = re.compile(r'(?:\w+<(.*?)>, )?"(.*?)"')
STOPPED = re.compile(r"^(\d+) +--- stopped by SIGSTOP ---")


# Whether something that was not synced is on disk all the same: drawn anew for each page and name.
Keep = Callable[[], bool]


class Disk:
    """What is synced below `root`: the bytes of files by inode, and the entries of folders by inode."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[int, bytearray] = {}
        self.folders: dict[int, dict[str, int]] = {root.stat().st_ino: {}}
        self.syncs = 0

    def sync(self, path: Path, begin: int = 0, length: int | None = None, named: bool = True) -> None:
        """Note that `length` bytes of a file from `begin`, or all of it, or a folder, are on disk as they are now.

        Its name is so, too, where it was `named` so at that time.
        """
        if not path.is_relative_to(self.root) or not path.exists():
            return
        self.syncs += 1
        if path.is_dir():
            self.folders[path.stat().st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            with path.open("rb") as file:
                file.seek(begin)
                read = file.read(-1 if length is None else length)
                size = file.seek(0, os.SEEK_END)
            kept = self.files.setdefault(path.stat().st_ino, bytearray())
            del kept[size:]
            kept.extend(bytes(size - len(kept)))
            kept[begin : begin + len(read)] = read
        while named and path != self.root:  # its name, and those of the folders that it lies in
            self.folders.setdefault(path.parent.stat().st_ino, {})[path.name] = path.stat().st_ino
            path = path.parent

    def rebuild(self, target: Path, keep: Keep | None = None) -> None:
        """Write what is on disk into `target`; each page and name that was not synced is there too if `keep` says so.

        A new name comes with the size of its file, for both are what a file system journals; its pages may be zeros.
        The process that writes must stand still.
        """
        now = {path.stat().st_ino: path for path in self.root.rglob("*")}
        now[self.root.stat().st_ino] = self.root
        self._rebuild(self.root.stat().st_ino, target, now, keep)

    def _rebuild(self, inode: int, target: Path, now: dict[int, Path], keep: Keep | None) -> None:
        target.mkdir(exist_ok=True)
        entries = dict(self.folders.get(inode, {}))
        if inode in now:
            there = {entry.name: entry.inode() for entry in os.scandir(now[inode])}
            for name in entries.keys() | there.keys():
                if keep and entries.get(name) != there.get(name) and keep():
                    entries.pop(name, None)
                    entries.update({name: there[name]} if name in there else {})
        on_disk = self.folders.get(inode, {})
        for name, child in entries.items():
            if child in self.folders or (child in now and now[child].is_dir()):
                self._rebuild(child, target / name, now, keep)
            else:
                current = now[child].read_bytes() if keep and child in now else b""
                synced = bytes(self.files.get(child, b""))
                if name not in on_disk:
                    synced = synced.ljust(len(current), b"\0")
                _write(target / name, synced, current, keep)


def _write(file: Path, synced: bytes, current: bytes, keep: Keep | None) -> None:
    """Write `synced`, of which each page is as in `current` if `keep` says so; zeros stay holes."""
    size = max(len(synced), len(current)) if keep and keep() else len(synced)
    pages = _pages(synced, size)
    if keep:
        newer = _pages(current, size)
        for place in np.flatnonzero((pages != newer).any(axis=1)):
            if keep():
                pages[place] = newer[place]
    with file.open("wb") as out:
        for place in np.flatnonzero(pages.any(axis=1)):
            out.seek(int(place) * PAGE)
            out.write(pages[place].tobytes())
        out.truncate(size)


def _pages(content: bytes, size: int) -> NDArray[np.uint64]:
    """The first `size` bytes as rows of a page each, filled up with zeros."""
    padded = content[:size].ljust(-(-size // PAGE) * PAGE, b"\0")
    return np.frombuffer(bytearray(padded), np.uint64).reshape(-1, PAGE // 8)


class Traced:
    """A process whose syncs below `root` are noted in `disk`; `on_sync` is called after each, while it stands still.

    Of the `calls` that sync, those that are left out count as if they wrote nothing.
    """

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        on_sync: Callable[[], None] = lambda: None,
        calls: str = SYNCS,
    ) -> None:
        self.disk, self._on_sync = Disk(root), on_sync
        self.failure: BaseException | None = None
        self._renamed: dict[Path, Path] = {}
        read, write = os.pipe()
        # Another number than those that a shell could name, and inherited by strace alone.
        options = ["-f", "-y", "-qq", "-s", "4096", f"--trace={calls},{RENAMES}", f"--inject={calls}:signal=STOP"]
        assert STRACE
        self.process = subprocess.Popen(
            [STRACE, *options, "-o", f"/proc/self/fd/{write}", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=[write],
        )
        os.close(write)
        self._thread = threading.Thread(target=self._follow, args=(os.fdopen(read),), daemon=True)
        self._thread.start()

    def ask(self, words: str = "") -> str:
        """Send a line to the process; returns its next line, empty at its end."""
        assert self.process.stdin
        assert self.process.stdout
        if words:
            self.process.stdin.write(words + "\n")
            self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Kill it, and wait; raises what a look at its files has raised."""
        os.kill(self._traced(), signal.SIGKILL)
        self.process.communicate()
        self._thread.join(60)
        if self.failure:
            raise self.failure

    def _traced(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def _follow(self, log: IO[str]) -> None:
        begun: dict[str, str] = {}
        pending: list[tuple[str, str]] = []  # the thread of each call, and its arguments
        for line in log:
            if call := CALL.match(line):
                arguments = call[3] or begun.pop(call[1], "")
                if call[2] in RENAMES.split(","):
                    old, new = (Path(folder, name) for folder, name in NAMED.findall(arguments))
                    self._renamed[old] = new
                else:
                    pending.append((call[1], arguments if call[4] == "0" else "failed"))
            elif call := BEGUN.match(line):
                begun[call[1]] = call[3]
            # All threads stop, and the line of another one may come when the next call is under way already.
            elif (stopped := STOPPED.match(line)) and stopped[1] in {thread for thread, _ in pending}:
                traced = self._traced()
                try:
                    self._look(traced, [arguments for _, arguments in pending])
                except BaseException as error:  # it is raised by `end`, in the thread of the test
                    self.failure = self.failure or error
                pending = []
                with suppress(ProcessLookupError):  # `end` has killed it meanwhile
                    os.kill(traced, signal.SIGCONT)

    def _look(self, traced: int, calls: Sequence[str]) -> None:
        _wait_until_still(traced)
        for arguments in calls:
            if named := re.match(r"\d+<(.*)>$", arguments):
                path = Path(named[1])
                # SIGCONT takes its stop away from a thread that is about to stop as well, and that one goes on.
                gone_on = not path.exists() and path in self._renamed
                self.disk.sync(self._renamed[path] if gone_on else path, named=not gone_on)
            elif mapped := re.match(r"(0x[0-9a-f]+), (\d+), ", arguments):
                self._sync_mapped(traced, int(mapped[1], 16), int(mapped[2]))
        self._on_sync()

    def _sync_mapped(self, traced: int, address: int, length: int) -> None:
        for line in Path(f"/proc/{traced}/maps").read_text().splitlines():
            place, _, offset, _, _, *path = line.split(maxsplit=5)
            first, last = (int(end, 16) for end in place.split("-"))
            if path and first <= address < last:
                self.disk.sync(Path(path[0]), int(offset, 16) + address - first, length)


def _wait_until_still(process: int) -> None:
    for task in Path(f"/proc/{process}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread may end
            while (task / "stat").read_text().rpartition(")")[2].split()[0] not in "tTZX":
                time.sleep(0.0005)
