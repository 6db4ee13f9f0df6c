"""Processes that single benchmarks run beside themselves."""
