"""A child that reads large files through a pipeline of the null model: `reading_child FOLDER FILES BYTES READ_BYTES`.

It prints its resident bytes before the first file, the most that they were, and how many files were published.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PIL import Image

from benchmarks.processes.ingest import resident_peak
from settings import load_settings
from tasks.broker import redis_client
from tasks.ledger import Ledger
from tasks.messages import FileItem, FilesMessage, PointsMessage, Target
from workers.gpu.pipeline import Pipeline
from workers.inference.null import NullClip


def large_files(folder: Path, count: int, size: int) -> list[FileItem]:
    """Small JPEGs, each with a hole of zeros behind its end, which is no part of the picture and takes no disk."""
    files = []
    for number in range(count):
        path = folder / f"{number}.jpg"
        Image.new("RGB", (64, 64), (number, 0, 0)).save(path)
        with path.open("r+b") as file:
            file.truncate(size + number)
        files.append(FileItem(number, path.as_uri()))
    return files


def main(folder: str, count: int, size: int, read_bytes: int) -> None:
    """Bring all files through at once."""
    settings = load_settings()
    settings = settings.model_copy(update={"gpu": settings.gpu.model_copy(update={"read_bytes": read_bytes})})
    ledger = Ledger(redis_client(settings), "job")
    messages: list[PointsMessage] = []
    pipeline = Pipeline(settings, NullClip("null"), None, lambda shas: [None] * len(shas), messages.append)
    files = large_files(Path(folder), count, size)

    def one(item: FileItem) -> None:
        pipeline.process(FilesMessage(Target("pictures", "null"), "job", "file:///root", [item]), ledger)

    before = resident_peak()
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(one, files))
    print(before, resident_peak(), sum(len(message.numbers) for message in messages))
    pipeline.close()


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
