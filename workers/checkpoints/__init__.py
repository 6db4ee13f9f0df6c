"""Checkpoints: which are tested, which are on this machine, and how one is fetched and loaded."""
