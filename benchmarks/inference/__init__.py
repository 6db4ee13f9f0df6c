"""Benchmarks of models alone: what families cost, and what is read of text in pictures."""
