"""Benchmarks that take half an hour and gigabytes of disk: they run only where they are named."""
