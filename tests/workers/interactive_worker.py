"""A worker with the tiny tasks and a lane for questions: `python -m tests.workers.interactive_worker NAME [QUEUE]`."""

import sys

import tests.tasks.tiny_worker  # noqa: F401, its import registers the tasks
from tasks.queues import FILES, QUERIES
from workers.consume import consume

PLACES_FOR_FILES = 2
QUESTIONS = 4

if __name__ == "__main__":
    consume(sys.argv[1], [*sys.argv[2:], FILES], PLACES_FOR_FILES, interactive=QUERIES, questions=QUESTIONS)
