"""The GPU worker: loads pictures, embeds them with CLIP, captions them with BLIP."""
