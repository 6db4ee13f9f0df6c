"""Runs in rclip's environment: indexes each folder that is named on stdin into a new database, with rclip's defaults.

Its argument is the folder with the model; see rclip_export.py.
"""

import contextlib
import io
import json
import os
import sys
import time
from pathlib import Path

os.environ["RCLIP_DATADIR"] = sys.argv[1]

from rclip import db
from rclip.main import RClip
from rclip.model import Model

model = Model()
model.ensure_downloaded()
for line in sys.stdin:
    folder = line.strip()
    path = Path(sys.argv[1]) / "db.sqlite3"
    path.unlink(missing_ok=True)
    database = db.DB(path, allow_vector_cache_reset=True)
    rclip = RClip(model, database, 8, None)
    begin = time.perf_counter()
    with contextlib.redirect_stderr(io.StringIO()):
        rclip.ensure_index(folder)
    seconds = time.perf_counter() - begin
    stored = sum(1 for _ in database.get_image_vectors_by_dir_path(folder))
    assert stored == len(os.listdir(folder)), f"{stored} pictures were indexed"
    rclip.close()
    database.close()
    print(json.dumps({"seconds": seconds}), flush=True)
