"""Inference: CLIP and BLIP from Hugging Face checkpoints, their optimised layers, and the device they run on."""
