"""Captioners: families of models that write a sentence about a picture, here or behind a URL."""
