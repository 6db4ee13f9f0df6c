"""Runs in rclip's environment: indexes each folder that is named on stdin into a new database.

Its arguments are the folder with the model, see rclip_export.py, and "documented", with rclip's defaults, or "best":
batches of 32, and libjpeg scales while it decodes. It decodes in threads and computes on all cores by itself; ONNX
Runtime has no bfloat16 on a CPU.
"""

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ["RCLIP_DATADIR"] = sys.argv[1]

from PIL import Image
from rclip import db
from rclip.main import RClip
from rclip.model import Model

EDGE, BATCH, DEFAULT_BATCH = 256, 32, 8

data, settings = sys.argv[1:]
if settings == "best":
    as_usual = Image.open

    def drafted(*arguments: Any, **options: Any) -> Image.Image:
        """`Image.open`, decoding at the least size of libjpeg that the model need not enlarge."""
        image = as_usual(*arguments, **options)
        image.draft("RGB", (EDGE, EDGE))
        return image

    Image.open = drafted  # type: ignore[assignment]  # it is called as Image.open is

model = Model()
model.ensure_downloaded()
for line in sys.stdin:
    folder = line.strip()
    path = Path(data) / "db.sqlite3"
    path.unlink(missing_ok=True)
    database = db.DB(path, allow_vector_cache_reset=True)
    rclip = RClip(model, database, BATCH if settings == "best" else DEFAULT_BATCH, None)
    begin = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        rclip.ensure_index(folder)
    seconds = time.perf_counter() - begin
    stored = sum(1 for _ in database.get_image_vectors_by_dir_path(folder))
    rclip.close()
    database.close()
    print(json.dumps({"seconds": seconds, "pictures": stored, "precision": "float32"}), flush=True)
