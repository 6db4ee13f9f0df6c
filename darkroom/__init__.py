"""The command `darkroom`: every command of the producer and of the machines below one name."""

__version__ = "0.1.0"
