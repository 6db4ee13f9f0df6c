"""The exception that shows a failed file as a failed task."""

from collections.abc import Sequence

from tasks.ledger import Failure
from tasks.uris import name_of

NAMED = 5


class FilesFailed(Exception):
    """Files of a message failed, and the ledger has them: the message is acked all the same.

    It is raised for whoever looks at the task, in Flower for one: its state becomes FAILURE, with the reason.
    """

    @classmethod
    def of(cls, failures: Sequence[Failure], files: int) -> "FilesFailed":
        """The failures of a message of `files` files in words, the first few by name."""
        named = "; ".join(f"{name_of(failure.uri)}: {failure.reason}" for failure in failures[:NAMED])
        more = "; ..." if len(failures) > NAMED else ""
        return cls(f"{named}{more}" if files == 1 else f"{len(failures)} of {files} files failed: {named}{more}")
