"""What the benchmarks work on: photo-like JPEGs and checkpoints of real size with random weights, made on the spot."""

import os
from pathlib import Path

import numpy as np
from PIL import Image

from models.train import clip_tokenizer


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A picture that compresses like a photo: smooth colour fields with fine grain, RGB."""
    coarse = rng.integers(0, 256, size=(max(2, height // 160), max(2, width // 160), 3), dtype=np.uint8)
    fields = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, size=(height, width, 1))
    return Image.fromarray(np.clip(np.asarray(fields, dtype=np.float32) + grain, 0, 255).astype(np.uint8))


def photos(folder: Path, count: int, width: int, height: int, seed: int = 0) -> list[Path]:
    """`count` JPEGs of quality 88, drawn from a handful of different pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    originals = []
    for number in range(min(8, count)):
        path = folder / f"original-{number}.jpg"
        photo(rng, width, height).save(path, quality=88)
        originals.append(path.read_bytes())
        path.unlink()
    paths = []
    for number in range(count):
        path = folder / f"{number:05}.jpg"
        # Bytes after the end of a JPEG are no part of the picture, but make its content another one.
        path.write_bytes(originals[number % len(originals)] + os.urandom(16))
        paths.append(path)
    return paths


def make_new(paths: list[Path]) -> None:
    """Give every file new content with the same picture, so that nothing of it is known to the collection."""
    for path in paths:
        path.write_bytes(path.read_bytes()[:-16] + os.urandom(16))


def random_vit_b32(folder: Path) -> Path:
    """A CLIPModel of ViT-B/32's shape with random weights, in Hugging Face format."""
    import torch
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        tokenizer = clip_tokenizer()
        ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        CLIPModel(CLIPConfig(text_config=ids)).save_pretrained(folder)
        CLIPProcessor(image_processor=CLIPImageProcessorPil(), tokenizer=tokenizer).save_pretrained(folder)
    return folder
