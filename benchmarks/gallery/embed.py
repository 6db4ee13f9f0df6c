"""http_embed_efficiency: pictures that 32 clients embed over HTTP, over those of a bare loop with the same code."""

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.bench_stack import kept_up
from benchmarks.efficiency import Bare
from benchmarks.figures.bounds import at_least, require_count
from benchmarks.gallery.site import Client, served
from benchmarks.harness import REPEATS, Figure, compare
from benchmarks.material import MP_03, pictures, random_vit_b32

CLIENTS = 32
PICTURES = 640


def http_embed_efficiency(scratch: Path, quick: bool) -> list[Figure]:
    """The ratio within a turn; each client sends one picture of 0.3 MP at a time and waits for its vector."""
    count = 2 * CLIENTS if quick else PICTURES
    checkpoint = random_vit_b32(scratch / "clip")
    files = pictures(scratch / "pictures", count, MP_03)
    bare = Bare(checkpoint, None)
    bare.run(files[:CLIENTS])
    bodies = [json.dumps({"images": [base64.b64encode(path.read_bytes()).decode()]}).encode() for path in files]
    settings = {"MODELS__CLIP": str(checkpoint), "MODELS__CAPTIONS": "false"}
    with kept_up(scratch, **settings) as stack, served(stack) as port:
        ours = partial(by_many_clients, port, "/api/v1/embed", bodies, "vectors")
        ours()
        return [
            compare(
                "http_embed_efficiency",
                ours,
                lambda _turn: bare.run(files),
                "images/s",
                repeats=1 if quick else REPEATS,
                goal=at_least(0.85, floor=0.7),
                precisions=f"{stack.precision()} / {bare.precision}",
            )
        ]


def by_many_clients(port: int, path: str, bodies: list[bytes], field: str, turn: int = 0) -> float:
    """Bodies of JSON a second that CLIENTS clients post one at a time; `field` of each answer has one embedding.

    It is the same in every turn. Raises WrongCount where an answer is missing. The clients share the cores with the
    server, so they neither write JSON nor read it while the clock runs.
    """

    def one(number: int) -> list[bytes]:
        client = Client(port)
        return [client.post(path, body) for body in bodies[number::CLIENTS]]

    begin = perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = [answer for answers in pool.map(one, range(CLIENTS)) for answer in answers]
    seconds = perf_counter() - begin
    embedded = sum(embedding is not None for answer in answers for embedding in json.loads(answer)[field])
    require_count(embedded, len(bodies), "pictures were embedded")
    return len(bodies) / seconds
