"""The errors that a person sees: each is one clear sentence, and carries the exit code of the command it ends."""


class DarkroomError(Exception):
    """Anything that ends a command with a sentence instead of a traceback."""

    exit_code = 1


class WrongUse(DarkroomError):
    """The command, a setting or an argument is wrong; the sentence says what is allowed."""

    exit_code = 2


class NotFound(WrongUse):
    """What an argument names is not there: a job, a point of the collection."""


class ServiceMissing(DarkroomError):
    """Redis, Qdrant, a worker, a model or the disk is not there; the sentence says what to start or free."""

    exit_code = 3
