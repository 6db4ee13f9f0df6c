"""Embedders: families of models that make vectors of one space of pictures and of texts."""
