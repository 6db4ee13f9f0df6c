"""Features of a model as the rows that are stored and compared."""

import numpy as np
import torch
from numpy.typing import NDArray

from workers.inference.accelerators import STREAMING


def unit_rows(features: torch.Tensor) -> NDArray[np.float32]:
    """Features (n, dim) as float32, each row of length one."""
    # In float32, because in half precision the length would be wrong by up to a thousandth.
    rows = torch.nn.functional.normalize(features.float(), dim=-1)
    if rows.device.type in STREAMING:
        return _awaited(rows)
    return np.ascontiguousarray(rows.cpu().numpy(), dtype=np.float32)


def _awaited(rows: torch.Tensor) -> NDArray[np.float32]:
    """Rows of a device with streams, copied when they are computed; who waits for that holds nobody up.

    An event is reached when these rows are here; the device may have been given more to do by another thread.
    """
    pinned = torch.empty(rows.shape, dtype=torch.float32, pin_memory=True)
    pinned.copy_(rows, non_blocking=True)
    copied = torch.Event(rows.device, blocking=True)
    copied.record()
    copied.synchronize()
    # Pinned memory is scarce, and these rows wait for their files.
    return pinned.numpy().copy()
