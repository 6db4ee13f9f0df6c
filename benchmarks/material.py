"""What the benchmarks work on: photo-like JPEGs and checkpoints of real size with random weights, made on the spot."""

import io
import os
from pathlib import Path

import numpy as np
from PIL import Image

from settings.errors import WrongUse

# Sizes in pixels as cameras and the web have them.
MP_12, MP_2, MP_03 = (4000, 3000), (1632, 1224), (640, 480)
# BLIP base's vocabulary.
BLIP_WORDS = 30524
# The word of BLIP's captions, and by how much it is more likely than others: their scores spread by about 0.6.
SAID, SAID_BIAS = 1000, 6.0
# A folder of somebody's own pictures to use in their place; `--images` sets it.
IMAGES = "DARKROOM_BENCH_IMAGES"


def photo(rng: np.random.Generator, width: int, height: int) -> Image.Image:
    """A picture that compresses like a photo: smooth colour fields with fine grain, RGB."""
    coarse = rng.integers(0, 256, size=(max(2, height // 160), max(2, width // 160), 3), dtype=np.uint8)
    fields = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    grain = rng.normal(0, 6, size=(height, width, 1))
    return Image.fromarray(np.clip(np.asarray(fields, dtype=np.float32) + grain, 0, 255).astype(np.uint8))


def photos(folder: Path, count: int, width: int, height: int, seed: int = 0) -> list[Path]:
    """`count` JPEGs of quality 88, drawn from a handful of different pictures."""
    rng = np.random.default_rng(seed)
    originals = []
    for _ in range(min(8, count)):
        stream = io.BytesIO()
        photo(rng, width, height).save(stream, format="JPEG", quality=88)
        originals.append(stream.getvalue())
    return _spread(originals, folder, count)


def pictures(folder: Path, count: int, size: tuple[int, int], seed: int = 0) -> list[Path]:
    """`count` JPEGs of the folder that `--images` names, as often as it takes, or else photos of this size."""
    given = os.environ.get(IMAGES)
    if not given:
        return photos(folder, count, *size, seed=seed)
    found = sorted(path for path in Path(given).rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))[:count]
    if not found:
        raise WrongUse(f"There is no .jpg or .jpeg file below {given}.")
    # Copied, because each repeat changes their last bytes.
    return _spread([path.read_bytes() for path in found], folder, count)


def _spread(originals: list[bytes], folder: Path, count: int) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
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

    from models.train import clip_tokenizer

    _without_progress_bars()
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        tokenizer = clip_tokenizer()
        ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
        CLIPModel(CLIPConfig(text_config=ids)).save_pretrained(folder)
        CLIPProcessor(image_processor=CLIPImageProcessorPil(), tokenizer=tokenizer).save_pretrained(folder)
    return folder


def random_blip_base(folder: Path) -> Path:
    """A BlipForConditionalGeneration of BLIP base's shape with random weights, in Hugging Face format.

    It says the same word for ever, so a caption is as long as it may be. A bias sees to that: words of random weights
    are near ties, where those of a trained model are not, and the probe would take no precision but float32.
    """
    import torch
    from transformers import (
        BertTokenizer,
        BlipConfig,
        BlipForConditionalGeneration,
        BlipImageProcessorPil,
        BlipProcessor,
    )

    _without_progress_bars()
    if not (folder / "model.safetensors").exists():
        torch.manual_seed(0)
        # By default its weights are 1e-10 small: too close to the end of float32 to be multiplied at the usual speed.
        scale = {"initializer_range": 0.02}
        config = BlipConfig(vision_config=scale, text_config={**scale, "vocab_size": BLIP_WORDS})
        model = BlipForConditionalGeneration(config)
        with torch.no_grad():
            model.text_decoder.cls.predictions.bias[SAID] = SAID_BIAS
        model.save_pretrained(folder)
        words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        words += [f"word{number}" for number in range(BLIP_WORDS - len(words))]
        tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(words)})
        BlipProcessor(image_processor=BlipImageProcessorPil(), tokenizer=tokenizer).save_pretrained(folder)
    return folder


def _without_progress_bars() -> None:
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()


def tiny_pictures(folder: Path, count: int, seed: int = 0) -> list[Path]:
    """`count` JPEGs of 16 x 16 pixels and about 700 bytes: what is left of their cost is everything but the picture."""
    return photos(folder, count, 16, 16, seed)


def large_pictures(folder: Path, kind: str, count: int, wide: int) -> None:
    """`count` square pictures of `wide` pixels: a PNG with "alpha", a grey PNG of "16 bits", or a "WebP" with alpha."""
    folder.mkdir(parents=True)
    ramp = np.linspace(0, 255, wide, dtype=np.uint8)
    grey = Image.fromarray(np.broadcast_to(ramp, (wide, wide)))
    stream = io.BytesIO()
    if kind == "16 bits":
        Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(stream, "PNG", compress_level=1)
    else:
        options = {"lossless": True, "quality": 0, "method": 0} if kind == "WebP" else {"compress_level": 1}
        picture = Image.merge("RGBA", (grey, grey, grey, grey))
        picture.save(stream, "WEBP" if kind == "WebP" else "PNG", **options)
    for number in range(count):
        (folder / f"{number}.{'webp' if kind == 'WebP' else 'png'}").write_bytes(stream.getvalue() + os.urandom(16))
