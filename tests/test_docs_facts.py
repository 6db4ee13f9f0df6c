"""Numbers, names and lists in the docs: defaults, limits, times, jobs, tasks and formats are those of the code."""

import inspect
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from pictures import colour
from pictures.facts import words, xmp
from pictures.facts.reading import read_facts
from pictures.formats import PICTURE_EXTENSIONS
from pictures.repair import remains
from producer.client import Darkroom
from producer.collection import prune, scroll, stats
from producer.collection.watching import watch
from producer.ingest import job_progress, plan, reconcile
from producer.jobs import lease
from producer.jobs.listing import listing_path
from producer.pages import layout as page_of_layout
from producer.pages import map as page_of_map
from producer.pages import projection
from producer.search import vectors
from producer.waiting import ABSENT_SECONDS, ASK_AGAIN_SECONDS, BROKER_SECONDS
from settings import Settings
from settings.sections import Ingest
from tasks import broken_files, ledger, outcomes, queues
from tasks.app import app
from tasks.broker import connection
from tasks.messages import GPU_FILES_PER_TASK
from tasks.registry import WORKER_LEASE_SECONDS
from tasks.stack import paths as stack_paths
from tests.conftest import ROOT
from tests.mutations import run
from tests.pictures.facts.matrix import everything
from tests.test_docs import TEXTS, content, strings_of_the_code
from tests.test_house import MOST_LINES
from workers import flower_app, logs, presence
from workers.gpu import models, pipeline, worker
from workers.gpu.publish import DECODED_FACTS
from workers.http_tasks import requests
from workers.storage import owner
from workers.storage.duplicates import near as near_duplicates
from workers.storage.patterns import MAX_VALUES
from workers.supervisor import supervisor

IN_WORDS = {1: "one", 2: "two", 3: "three", 5: "five", 10: "ten", 100: "hundred", 1000: "thousand"}
DAY, MINUTE, MILLISECOND = 24 * 3600, 60, 0.001
KEPT_DAYS = ledger.KEEP_SECONDS / DAY
SILENT_SECONDS = connection.IDLE_SECONDS + connection.PROBES * connection.PROBE_SECONDS
SETTLE_SECONDS = inspect.signature(Darkroom.watch).parameters["settle"].default
# What a page says, with {} for a number, {word} for a number in words.
TOLD: dict[str, dict[str, float]] = {
    "CONTRIBUTING.md": {
        "One concept a file, under {} lines": MOST_LINES,
    },
    "docs/architecture.md": {
        "asks the storage worker, {} at a time": plan.CHUNK,
        "reads the ledger {word} times a second": 1 / job_progress.READ_SECONDS,
        "up to {} different reasons are kept": outcomes.MOST_REASONS,
        "the URIs of the first {} failed files": outcomes.MOST_URIS,
        "{word} seconds or more apart": reconcile.NOWHERE_SECONDS,
        "takes at most a {word}th of the time": 1 / reconcile.SHARE,
        "renews a lease of {} seconds on its job": lease.LEASE_SECONDS,
        "the producer asks again after {word} seconds": ASK_AGAIN_SECONDS,
        "compares every pair in tiles of {}.": near_duplicates.TILE,
        "cut off after {} numbers": near_duplicates.REDUCED_DIM,
        "a field of more than {} values is refused": MAX_VALUES,
        "its own, is {} seconds": WORKER_LEASE_SECONDS,
        "open for {} milliseconds after its first file": pipeline.GATHER_SECONDS / MILLISECOND,
        "and CLIP for {}.": models.CLIP_GATHER_SECONDS / MILLISECOND,
    },
    "docs/cluster.md": {
        "A worker counts as living until it stops or has been silent for {} seconds;": WORKER_LEASE_SECONDS,
        "and after {} seconds nothing of it is left in Redis": presence.KEEP_SECONDS,
        "until the lease runs out, which lasts {} seconds.": owner.LEASE_SECONDS,
        "says within {} seconds what to start": ABSENT_SECONDS,
        "A silent connection is given up after {} seconds": SILENT_SECONDS,
    },
    "docs/flower.md": {
        "The page of a job lists up to {} of them": flower_app.MAX_CHILDREN,
        "of more than {} events of files that wait": flower_app.MAX_WAITING,
    },
    "docs/formats.md": {
        "or with one of more than {} MB": colour.MAX_PROFILE_BYTES / 1e6,
        "of more than {} MB, or if it declares": xmp.MAX_BYTES / 1e6,
        "Texts are cut at {} (title)": words.MAX_TITLE,
        "(title), {} (description)": words.MAX_DESCRIPTION,
        "and {} characters (a keyword, a": words.MAX_KEYWORD,
        "keywords at {}.": words.MAX_KEYWORDS,
        "when at least {} % of its pixels are there": remains.ENOUGH * 100,
        "hang or take more than {} MB": run.MOST_MB,
    },
    "docs/http.md": {
        "A list holds at most {} texts or pictures": requests.MAX_ITEMS,
        "Answers are kept for {word} minutes": app.conf.result_expires / MINUTE,
    },
    "docs/library.md": {
        "the jobs of the last {} days": KEPT_DAYS,
        "Both are kept for {} days": KEPT_DAYS,
        "`errors` names the first {} failures anywhere": outcomes.MOST_URIS,
        "Up to {} such files are kept": broken_files.MOST,
        "more than a {word} of the files were below a folder": prune.FEW,
        "more than a {word} files, and more than half": prune.FEW,
        "at rest for `--settle` seconds ({})": SETTLE_SECONDS,
        "polled every {word} seconds": watch.POLL_MILLISECONDS * MILLISECOND,
        "the words are those of at most {} captions": stats.CAPTIONS,
        "The catalog is read a {word} points at a time": scroll.PAGE,
        "Up to {} thumbnails are inside the page": page_of_map.THUMBNAILS,
        "The first {} points in the order of their ids": projection.LANDMARKS,
        "the page shows a sample of {}": page_of_layout.POINTS,
    },
    "docs/operations.md": {
        "each job of the last {} days": KEPT_DAYS,
        "one of more than {} MB moves": stack_paths.MAX_LOG_BYTES / 1e6,
        "says {} times within a minute": logs.SAME_LINES,
        "has written nothing for {} s": job_progress.STUCK_SECONDS,
        "A job that does not move for {} seconds": job_progress.STUCK_SECONDS,
        "or stands still for {} seconds": lease.LEASE_SECONDS,
        "after {word} minutes the command ends": BROKER_SECONDS / MINUTE,
        "gives the batches in the models {} seconds": worker.GRACE_SECONDS,
        "The grace time is {} seconds a kind of process": supervisor.GRACE_SECONDS,
    },
    "docs/scaling.md": {
        "the first {} failures keep their names": outcomes.MOST_URIS,
        "| `ingest.window` | {} files |": Ingest().window,
        "| `ingest.files_per_task` | {} where all workers compute on GPUs, else 1 |": GPU_FILES_PER_TASK,
    },
    "docs/search.md": {
        "sent to a GPU worker (up to {} MiB)": vectors.MOST_BYTES / 2**20,
    },
}


@pytest.mark.parametrize("page", TOLD)
def test_a_number_in_the_docs_is_the_one_of_the_code(page: str) -> None:
    text = " ".join(content(ROOT / page).split())
    for sentence, value in TOLD[page].items():
        told = sentence.format(f"{value:,.9g}", word=IN_WORDS.get(round(value)))
        assert told in text, f"{page} does not say: {told}"


def defaults_in_tables() -> list[tuple[str, str, object]]:
    """Page, key and default of the rows of the tables of settings; what is told in words is left out."""
    found = []
    for file in TEXTS:
        for table in re.findall(r"^\| (?:key|setting) \| default \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", content(file), re.M):
            for row in table.splitlines():
                keys, told = row.split(" | ")[:2]
                try:
                    default = tomllib.loads(f"value = {told.strip('`').replace(',', '_')}")["value"]
                except tomllib.TOMLDecodeError:
                    continue
                found += [(file.name, key, default) for key in re.findall(r"`(\w+\.\w+)`", keys)]
    return found


def test_a_default_in_the_docs_is_the_one_of_the_settings() -> None:
    assert len(defaults_in_tables()) > 6
    for page, name, told in defaults_in_tables():
        section, key = name.split(".")
        default = type(getattr(Settings.model_construct(), section)).model_fields[key].default
        assert told == default, f"{page}: {name}"


def test_a_job_in_an_example_is_named_as_jobs_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.JOB_VARIABLE, raising=False)
    shape = re.sub("[0-9a-f]", "0", ledger.new_job_id())
    texts = [*map(content, TEXTS), *(text for _file, text in strings_of_the_code())]
    named = re.findall(r"\b\d{8}-\d{6}-[0-9a-f]+", " ".join(texts))
    assert named
    assert [job for job in named if re.sub("[0-9a-f]", "0", job) != shape] == []


def cells_of(page: str, heading: str, column: int = 0) -> list[str]:
    """A column of the first table below a heading, without its head."""
    table = re.search(r"^\|.*\n\|[-|]+\|\n((?:\|.*\n)+)", content(ROOT / page).partition(heading)[2], re.MULTILINE)
    assert table, f"{page} has no table below {heading}"
    return [re.split(r" ?\| ?", row)[column + 1] for row in table[1].splitlines()]


def test_the_tasks_for_other_programs_are_those_of_the_code() -> None:
    told = [cell.strip("`") for cell in cells_of("docs/http.md", "# Tasks for other programs")]
    assert sorted(told) == sorted(value for name, value in vars(queues).items() if name.startswith("HTTP_"))


def test_the_extensions_and_the_facts_of_pictures_are_those_of_the_code() -> None:
    extensions = " ".join(cells_of("docs/formats.md", "# Formats", column=1)).split()
    assert {f".{name}" for name in extensions} == PICTURE_EXTENSIONS
    facts = re.findall(r"`(\w+)`", " ".join(cells_of("docs/formats.md", "## Metadata in the payload")))
    assert set(facts) == {*DECODED_FACTS, *read_facts(everything()), "bytes", "mtime", "sidecar"}


def test_the_folders_of_data_are_those_that_a_stack_makes(tmp_path: Path) -> None:
    told = {cell.strip("`/") for cell in cells_of("docs/operations.md", "## Where things lie")}
    paths = stack_paths.StackPaths(tmp_path, tmp_path)
    made = {paths.redis_data, paths.catalog, paths.logs, listing_path(tmp_path, "JOB").parent}
    assert told == {path.name for path in made}


def test_no_word_has_two_meanings() -> None:
    words = cells_of("docs/architecture.md", "## Words")
    assert len(words) > 40
    assert [word for word, count in Counter(words).items() if count > 1] == []
