"""Measures the two shipped checkpoints on scenes that they were not trained on: `python -m models.evaluate`.

Every scene is drawn at 256 x 256 pixels and goes through JPEG, as a file of a user would; the checkpoints' own Hugging
Face processors bring it to the size of the models. The last line printed is one JSON object.
"""

import argparse
import io
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from rich.console import Console
from rich.table import Table
from transformers import AutoProcessor, BlipForConditionalGeneration, CLIPModel
from transformers.utils import logging

from models.scenes import Scene, draw, fresh_scenes

HERE = Path(__file__).resolve().parent
PIXELS, QUALITY, BATCH = 256, 90, 100


def photographed(scene: Scene, seed: int) -> Image.Image:
    """The scene as an RGB picture of PIXELS x PIXELS that was saved as a JPEG and opened again."""
    file = io.BytesIO()
    draw(scene, random.Random(f"{seed} {scene.sentence}"), PIXELS).save(file, "JPEG", quality=QUALITY)
    return Image.open(file).convert("RGB")


@torch.inference_mode()
def captions(folder: Path, pictures: Sequence[Image.Image]) -> list[str]:
    """What the BLIP checkpoint in `folder` says of each picture."""
    model = BlipForConditionalGeneration.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    said: list[str] = []
    for start in range(0, len(pictures), BATCH):
        pixels = processor(images=list(pictures[start : start + BATCH]), return_tensors="pt").pixel_values
        tokens = model.generate(pixel_values=pixels, max_new_tokens=30)
        said += [text.strip() for text in processor.batch_decode(tokens, skip_special_tokens=True)]
    return said


@torch.inference_mode()
def similarities(folder: Path, pictures: Sequence[Image.Image], sentences: Sequence[str]) -> torch.Tensor:
    """Cosine of each sentence with each picture by the CLIP checkpoint in `folder`: (sentences, pictures), float32."""
    model = CLIPModel.from_pretrained(folder).eval()
    processor = AutoProcessor.from_pretrained(folder)
    images, texts = [], []
    for start in range(0, len(pictures), BATCH):
        pixels = processor(images=list(pictures[start : start + BATCH]), return_tensors="pt")
        images.append(model.get_image_features(**pixels).pooler_output)
    for start in range(0, len(sentences), BATCH):
        tokens = processor(text=list(sentences[start : start + BATCH]), padding=True, return_tensors="pt")
        texts.append(model.get_text_features(**tokens).pooler_output)
    return F.normalize(torch.cat(texts), dim=-1) @ F.normalize(torch.cat(images), dim=-1).T


def evaluate(clip: Path, blip: Path, count: int, seed: int) -> dict[str, float]:
    """Measure both checkpoints on `count` held-out scenes; the fractions are of `count`."""
    scenes = fresh_scenes(seed, count)
    sentences = [scene.sentence for scene in scenes]
    pictures = [photographed(scene, seed) for scene in scenes]

    said = captions(blip, pictures)
    exact = sum(one == other for one, other in zip(said, sentences, strict=True))
    pairs = [pair for one, other in zip(said, sentences, strict=True) for pair in zip(other.split(), one.split())]
    words = sum(one == other for one, other in pairs) / sum(len(sentence.split()) for sentence in sentences)

    order = similarities(clip, pictures, sentences).argsort(dim=1, descending=True)
    rank = (order == torch.arange(count).unsqueeze(1)).int().argmax(dim=1)
    return {
        "captions_exact": exact / count,
        "words_exact": words,
        "clip_recall_at_1": (rank < 1).float().mean().item(),
        "clip_recall_at_3": (rank < 3).float().mean().item(),
    }


def main() -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clip", type=Path, default=HERE / "shapes-clip", help="folder of the CLIP checkpoint")
    parser.add_argument("--blip", type=Path, default=HERE / "shapes-blip", help="folder of the BLIP checkpoint")
    parser.add_argument("--scenes", type=int, default=500, help="how many scenes (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=2026, help="which scenes (default: %(default)s)")
    chosen = parser.parse_args()
    for folder in (chosen.clip, chosen.blip):
        if not (folder / "config.json").is_file():
            parser.error(f"{folder} holds no checkpoint")
    if chosen.scenes < 1:
        parser.error("--scenes must be at least 1")
    logging.set_verbosity_error()
    logging.disable_progress_bar()

    begin = time.monotonic()
    found = evaluate(chosen.clip, chosen.blip, chosen.scenes, chosen.seed)
    table = Table(title=f"{chosen.scenes} unseen scenes, {time.monotonic() - begin:.0f} s", title_justify="left")
    table.add_column("measure")
    table.add_column("value", justify="right")
    table.add_row("BLIP captions exactly right", f"{found['captions_exact']:.1%}")
    table.add_row("BLIP words right, place by place", f"{found['words_exact']:.1%}")
    table.add_row("CLIP sentence to picture, recall@1", f"{found['clip_recall_at_1']:.1%}")
    table.add_row("CLIP sentence to picture, recall@3", f"{found['clip_recall_at_3']:.1%}")
    Console().print(table)
    line = {name: round(found[name], 4) for name in ("captions_exact", "clip_recall_at_1")}
    print(json.dumps({**line, "scenes": chosen.scenes, "seed": chosen.seed}))


if __name__ == "__main__":
    main()
