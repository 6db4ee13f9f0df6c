"""Questions to the workers and their answers: who asks imports `question`, without Celery, a worker `answers`."""

from tasks.rpc.question import JsonQuestion, Question, ask

__all__ = ["JsonQuestion", "Question", "ask"]
