"""Runs in the environment of sentence-transformers: embeds each folder named on stdin as its documentation does.

Its argument is a CLIPModel in Hugging Face format.
"""

import json
import sys
import time
from pathlib import Path

from PIL import Image
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu")
for line in sys.stdin:
    paths = sorted(Path(line.strip()).iterdir())
    begin = time.perf_counter()
    vectors = model.encode([Image.open(path) for path in paths], convert_to_numpy=True, normalize_embeddings=True)
    seconds = time.perf_counter() - begin
    assert vectors.shape == (len(paths), 512)
    print(json.dumps({"seconds": seconds}), flush=True)
