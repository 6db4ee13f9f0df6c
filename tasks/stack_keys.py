"""What the users of a local stack and its supervisor tell each other through Redis."""

STOP_NOW = "darkroom:stop-now"  # set: when the last user is gone, end without finishing the work in the queues
STACK = "darkroom:stack"


def stack_key(name: str) -> str:
    """The key with the process id of the supervisor of stack `name`, set once what an earlier one said is gone."""
    return f"{STACK}:{name}"
