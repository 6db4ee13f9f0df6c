"""Exit codes by which a worker tells its supervisor why it ended, beside those of every command."""

# A file could not be loaded in time; it is listed as failed, and another process does the others.
LOAD_TIMEOUT = 70
# The device of the worker does not compute; its files are back in the queue.
DEVICE_FAILED = 71
