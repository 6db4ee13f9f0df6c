"""Inference: embedders and captioners from Hugging Face checkpoints, their faster layers, and their device."""
