"""What an error of Redis means: it is away, it answers and refuses for a while, or what we asked of it was wrong."""

import re
import sys

from redis import exceptions

from settings.broker_url import NO_CLUSTER

# The codes with which Redis begins an answer that another time may be a good one, and what each means.
REFUSALS = {
    "OOM": "is full (its maxmemory is reached)",
    "MISCONF": "takes no writes because it cannot save its data to disk",
    "READONLY": "is a replica, which takes no writes",
    "LOADING": "is still loading its data",
    "MASTERDOWN": "is a replica without its master",
    "NOREPLICAS": "takes no writes because too few replicas are there",
    "BUSY": "is busy with a script",
    "TRYAGAIN": "asks to try again",
    **dict.fromkeys(("CLUSTERDOWN", "MOVED", "ASK", "CROSSSLOT"), f"is part of a Redis Cluster, {NO_CLUSTER}"),
    "NOPERM": "does not allow this login to do what Darkroom needs",
}
# redis-py takes these codes away, and raises classes for them.
_CODES: dict[type, str] = {
    exceptions.OutOfMemoryError: "OOM",
    exceptions.ReadOnlyError: "READONLY",
    exceptions.BusyLoadingError: "LOADING",
    exceptions.MasterDownError: "MASTERDOWN",
    exceptions.TryAgainError: "TRYAGAIN",
    exceptions.ClusterDownError: "CLUSTERDOWN",
    exceptions.MovedError: "MOVED",
    exceptions.AskError: "ASK",
    exceptions.ClusterCrossSlotError: "CROSSSLOT",
    exceptions.NoPermissionError: "NOPERM",
}
# A script puts words of its own in front of the answer, and a dash.
_CODE = re.compile(rf"(?:^|: |[ :]-)({'|'.join(REFUSALS)})(?= |$)")


def redis_errors(*others: type[Exception]) -> tuple[type[Exception], ...]:
    """What is raised where Redis is away, or answers by an error, and `others`; Celery's errors where Celery is loaded.

    A command that only asks does without Celery, whose errors alone take it some milliseconds to import.
    """
    kombu = sys.modules.get("kombu.exceptions")
    return (exceptions.RedisError, OSError, *([kombu.OperationalError] if kombu else []), *others)


def refusal(error: BaseException) -> str | None:
    """The end of the sentence "Redis ...", where it answers and refuses what may be done another time; else None."""
    for each in chain_of(error):
        if type(each) in _CODES:
            return REFUSALS[_CODES[type(each)]]
        if isinstance(each, exceptions.ResponseError) and (found := _CODE.search(_answer(each))):
            return REFUSALS[found[1]]
    return None


def _answer(error: Exception) -> str:
    # A pipeline quotes its command in front, in which anything may stand.
    return str(error).rpartition(" of pipeline caused error: ")[2]


def may_pass(error: BaseException) -> bool:
    """Whether it may help to ask again: Redis is away, or refuses for now. Else the fault is in what was asked."""
    if any(isinstance(each, exceptions.ResponseError) for each in chain_of(error)):  # kombu wraps it
        return refusal(error) is not None
    answered = isinstance(error, exceptions.RedisError)
    return isinstance(error, exceptions.ConnectionError | exceptions.TimeoutError if answered else redis_errors())


def chain_of(error: BaseException) -> list[BaseException]:
    """The error and those behind it, each once."""
    chain = [error]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None and cause not in chain:
        chain.append(cause)
    return chain
