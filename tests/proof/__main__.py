"""The proof: break it at every step, see that the tests would notice, and pull the plug. `python -m tests.proof`.

Parts: `steps` (each process killed at each of its steps), `pairs` (two in a row), `model` (orders of events), `power`
(the power is cut), `mutants` (wrong versions of the code), `soak` (an hour of everything). One last line of JSON.
With --tally FILE the parts of one proof run one by one or side by side: what the file has counts, too.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

from tests.chaos.pictures import Album, draw_album
from tests.conftest import SCRATCH, redis_server
from tests.mutants.__main__ import run as run_mutants
from tests.proof.machine import check_model
from tests.proof.power import Cuts, cut_catalog, cut_redis
from tests.proof.soak import soak
from tests.proof.steps import FILES, NULL_MODEL, PROCESSES, every_step, pairs
from tests.proof.tally import Tally
from tests.proof.web_steps import every_web_step
from workers.storage.embedded.catalog import EdgeCatalog

PARTS = ("steps", "pairs", "model", "power", "mutants", "soak")


def main() -> int:
    """Exit code 0 when nothing was lost, doubled, misfiled or miscounted, and every wrong version was caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof", description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--processes", nargs="+", default=[*PROCESSES, "redis", "web"])
    parser.add_argument("--stride", type=int, default=1, help="take each n-th step alone")
    parser.add_argument("--most", type=int, default=10_000, help="stop at this step of a process")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--orders", type=int, default=300, help="orders of events that the model draws")
    parser.add_argument("--batches", type=int, default=20, help="batches after each of which the power is cut")
    parser.add_argument("--minutes", type=float, default=60.0, help="of the soak")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tally", type=Path, help="a file that keeps what was found, for the parts that run later")
    options = parser.parse_args()
    scratch, tally = Path(tempfile.mkdtemp(prefix="darkroom-proof-")), Tally()
    try:
        album = draw_album(scratch / "pictures", FILES, model=NULL_MODEL)
        for part in options.parts:
            print(f"== {part}", flush=True)
            found, begin = Tally(parts=[part]), time.monotonic()
            RUN[part](options, album, scratch, found)
            found.seconds = time.monotonic() - begin
            if options.tally:
                found.keep(options.tally)
                tally = found
            else:
                tally.add(found)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print(tally.table() if tally.steps else "", *tally.wrong, sep="\n")
    all_parts = set(tally.parts) == set(PARTS)
    good = not tally.wrong and not (all_parts and tally.never())
    if good:
        shutil.rmtree(scratch)
    else:
        print(f"kept: {scratch}")
    print(tally.line(never=all_parts))
    return 0 if good else 1


def _steps(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    processes = [process for process in options.processes if process != "web"]
    tally.take("", every_step(album, scratch, processes, options.stride, options.most))
    if "web" in options.processes:
        tally.take("", every_web_step(album, scratch, options.stride, options.most))


def _pairs(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    tally.take("two in a row, drawn", pairs(album, scratch, options.pairs, options.seed))


def _model(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    socket = SCRATCH / "redis.sock"
    command = [redis_server(), "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(SCRATCH)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not socket.exists():
        time.sleep(0.01)
    catalog = EdgeCatalog(scratch / "model", "pictures")
    try:
        check_model(redis.Redis(unix_socket_path=str(socket)), catalog, options.orders, options.seed, shorten=True)
    except AssertionError as error:
        tally.wrong.append(f"the model: {error}")
    finally:
        catalog.close()
        server.terminate()
        server.wait()
    tally.sums["model_orders"] += options.orders


def _power(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    for name, cuts in (
        ("catalog", cut_catalog(options.batches, options.seed, between=50)),
        ("catalog that is made anew", cut_catalog(options.batches // 2, options.seed, between=200, keep=2)),
        ("redis", cut_redis(options.batches, options.seed)),
    ):
        _count(name, cuts, tally)


def _count(name: str, cuts: Cuts, tally: Tally) -> None:
    print(f"{name}: {cuts.cuts} cuts, {cuts.points} acknowledged points looked for, {cuts.lost} lost", flush=True)
    tally.sums.update({"powerloss_points": cuts.points, "powerloss_lost": cuts.lost})
    tally.wrong += cuts.wrong


def _mutants(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    found = run_mutants()
    missed = [caught.version.name for caught in found if caught.test is None]
    tally.sums.update({"mutants": len(found), "caught": len(found) - len(missed)})
    tally.wrong += [f"nobody notices that {name}" for name in missed]


def _soak(options: argparse.Namespace, album: Album, scratch: Path, tally: Tally) -> None:
    done = soak(scratch / "soak", options.minutes, options.seed)
    tally.recoveries.update(done.recoveries)
    tally.sums.update({"soak_files": done.files, "soak_kills": done.kills})
    tally.wrong += done.wrong


RUN = {"steps": _steps, "pairs": _pairs, "model": _model, "power": _power, "mutants": _mutants, "soak": _soak}

if __name__ == "__main__":
    sys.exit(main())
