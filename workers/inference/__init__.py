"""What computes: CLIP and BLIP by the Hugging Face checkpoints, their fast paths, and the device they run on."""
