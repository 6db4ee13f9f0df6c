"""A folder that changes at random, as people and programs change theirs."""

import os
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

FOLDERS = 6


def pictures_in(folder: Path) -> list[Path]:
    """Every picture that is there now, in order."""
    return sorted(path for path in folder.rglob("*.png") if path.is_file())


class ChangingFolder:
    """Creates, copies, overwrites, renames, moves and deletes pictures below `root`, files and whole folders."""

    def __init__(self, root: Path, seed: int) -> None:
        self.root = root
        self.random = random.Random(seed)
        self.made = 0
        # Those that were not there whole at once: who looks at the wrong moment sees a part of them.
        self.written_in_place: set[str] = set()

    def change(self) -> None:
        """One operation."""
        operations: list[tuple[int, Callable[[], object]]] = [
            (30, self.create),
            (5, self.create_slowly),
            (5, self.copy),
            (10, self.overwrite),
            (5, self.replace),
            (10, self.rename),
            (15, self.move),
            (20, self.delete),
            (4, self.rename_folder),
            (2, self.delete_folder),
        ]
        weights, chosen = zip(*operations, strict=True)
        self.random.choices(chosen, weights)[0]()

    def create(self) -> Path:
        """A picture of new content under a new name."""
        path = self._in_place(self._new_path())
        self._picture().save(path)
        return path

    def create_slowly(self) -> None:
        """As a camera's import or a download writes: in two steps with a pause between them."""
        path = self._in_place(self._new_path())
        whole = path.with_suffix(".tmp")
        self._picture().save(whole, format="PNG")
        data = whole.read_bytes()
        whole.unlink()
        with path.open("wb", buffering=0) as file:
            file.write(data[: len(data) // 2])
            time.sleep(0.05)
            file.write(data[len(data) // 2 :])

    def copy(self) -> None:
        """The bytes of a picture under a second name."""
        if path := self._any():
            shutil.copyfile(path, self._in_place(self._new_path()))

    def overwrite(self) -> None:
        """New content in place."""
        if path := self._any():
            self._picture().save(self._in_place(path))

    def replace(self) -> None:
        """One picture takes the place of another, as editors save."""
        path, other = self._any(), self._any()
        if path and other and path != other:
            os.replace(path, other)

    def rename(self) -> None:
        """Another name in the same folder."""
        if path := self._any():
            path.rename(path.with_name(self._new_path().name))

    def move(self) -> None:
        """Into another folder."""
        if path := self._any():
            path.rename(self._new_path())

    def delete(self) -> None:
        """Gone."""
        if path := self._any():
            path.unlink()

    def rename_folder(self) -> None:
        """A folder of pictures under another name, or below another folder."""
        folder = self._folder()
        if folder != self.root:
            target = self.random.choice([self.root, self._folder()]) / f"moved-{self.made}"
            self.made += 1
            if folder not in (target, *target.parents):
                folder.rename(target)

    def delete_folder(self) -> None:
        """A folder with all that is in it."""
        folder = self._folder()
        if folder != self.root:
            shutil.rmtree(folder)

    def _in_place(self, path: Path) -> Path:
        self.written_in_place.add(path.as_uri())
        return path

    def _any(self) -> Path | None:
        pictures = pictures_in(self.root)
        return self.random.choice(pictures) if pictures else None

    def _folder(self) -> Path:
        folders = [self.root, *sorted(path for path in self.root.rglob("*") if path.is_dir())]
        if len(folders) <= FOLDERS and self.random.random() < 0.3:
            self.made += 1
            folders.append(self.random.choice(folders) / f"folder ä {self.made}")
            folders[-1].mkdir()
        return self.random.choice(folders)

    def _new_path(self) -> Path:
        self.made += 1
        return self._folder() / f"{self.made:04} #.png"

    def _picture(self) -> Image.Image:
        return Image.frombytes("RGB", (8, 8), self.random.randbytes(192))
