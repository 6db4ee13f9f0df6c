"""Which loaders a GPU worker has: threads of its own, or processes."""

from collections.abc import Callable

from settings import Settings
from tasks.checkpoint import null_model
from workers.gpu.loading.board import Board
from workers.gpu.loading.child_process import ChildProcess
from workers.gpu.loading.loader import Loader, LoaderHere
from workers.gpu.loading.memory_budget import MemoryBudget
from workers.gpu.loading.picture_loader import DecodesOnDevice
from workers.gpu.loading.process import BATCH, ROOM_BYTES, ROOM_SHARE, LoaderProcess
from workers.gpu.loading.slots import SharedSlots


def keeps_thumbnails(settings: Settings) -> bool:
    """Whether this worker keeps small pictures.

    Other machines do not see the data directory of this one, and the null model measures everything else.
    """
    is_alone = settings.broker.url == "embedded" and null_model(settings.models.clip) is None
    place = settings.thumbnails.place
    return not (place == "none" or (place == "auto" and not is_alone))


def loaders_of(
    settings: Settings,
    processes: int,
    files: int,
    device_type: str,
    budget: MemoryBudget,
    on_failed: Callable[[str], None],
    on_device: DecodesOnDevice | None = None,
) -> list[Loader]:
    """So many loader processes, or for none of them the loader of this process, which any number of threads may use.

    `files` is how many files this worker holds at a time, `budget` the room for their bytes; `on_failed` gets a
    sentence when the processes cannot work. `on_device` decodes for the loader of this process.
    """
    thumbnails = keeps_thumbnails(settings)
    if not processes:
        return [LoaderHere(settings, thumbnails, on_device)]
    board = Board(processes)
    # And what each loader decodes meanwhile.
    slots = SharedSlots(files + processes * BATCH, pinned=device_type == "cuda")
    room = min(ROOM_BYTES, budget.limit // (ROOM_SHARE * BATCH * processes))
    children = [
        ChildProcess(settings, thumbnails, number, board, slots.descriptor, on_failed) for number in range(processes)
    ]
    return [LoaderProcess(child, slots, budget, room, settings.ingest.load_seconds) for child in children]
