"""Questions to the workers and their answers: who asks imports `question`, without Celery, a worker `answers`."""

from tasks.rpc.question import Question, ask

__all__ = ["Question", "ask"]
