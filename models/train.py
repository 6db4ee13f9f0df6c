"""Train one of the two shipped checkpoints: `python -m models.train clip` or `python -m models.train blip`.

Both see pictures that `scenes.py` draws on the fly, never twice the same. Beside its own loss each vision tower
learns to name the eight attributes of a scene from its pooled output; those heads shorten training by several
times and are thrown away at the end. The text of CLIP sometimes leaves the background out, as people do.
"""

import argparse
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from tokenizers import pre_tokenizers, trainers
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    BlipProcessor,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    CLIPTokenizer,
)

from models.scenes import BACKGROUNDS, COLOURS, RADIUS, RELATIONS, SHAPES, SIZES, Scene, draw, training_scenes

HERE = Path(__file__).resolve().parent
PIXELS, PATCH, WIDTH, CONTEXT = 64, 8, 128, 32
VISION_LAYERS, TEXT_LAYERS, HEADS = 4, 3, 4
STEPS = {"clip": 3500, "blip": 5000}
DECODER_START = "[DEC]"
WORDS = ("a", "on", "background", "left", "of", "above", *SIZES, *COLOURS, *SHAPES, *BACKGROUNDS)
ATTRIBUTES = (SIZES, tuple(COLOURS), SHAPES, RELATIONS, SIZES, tuple(COLOURS), SHAPES, tuple(BACKGROUNDS))


def clip_tokenizer() -> CLIPTokenizer:
    """Byte-level BPE as CLIP's own: every word of the grammar is one token, any other text falls back to bytes."""
    blank = CLIPTokenizer(vocab={"<|endoftext|>": 0}, merges=[]).backend_tokenizer
    # Its ids are those of the blank vocabulary.
    blank.post_processor = None
    trainer = trainers.BpeTrainer(
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), end_of_word_suffix="</w>", show_progress=False
    )
    blank.train_from_iterator(WORDS, trainer)
    learned = json.loads(blank.to_str())["model"]
    tokens: dict[str, None] = dict.fromkeys(sorted(learned["vocab"], key=learned["vocab"].get))
    tokens |= dict.fromkeys(symbol + "</w>" for symbol in sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokens |= dict.fromkeys(("<|startoftext|>", "<|endoftext|>"))
    vocab = {token: number for number, token in enumerate(tokens)}
    merges: Any = [tuple(pair) for pair in learned["merges"]]
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=CONTEXT)


def blip_tokenizer() -> BertTokenizer:
    """WordPiece as BLIP's own, with the words of the grammar and BLIP's two extra tokens."""
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", DECODER_START, "[ENC]", *WORDS]
    return BertTokenizer(
        vocab={token: number for number, token in enumerate(tokens)},
        bos_token=DECODER_START,
        additional_special_tokens=["[ENC]"],
        model_max_length=CONTEXT,
    )


def new_clip() -> tuple[CLIPModel, CLIPProcessor]:
    """A CLIPModel with random weights, and its processor."""
    tokenizer = clip_tokenizer()
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS}
    config = CLIPConfig(
        text_config={
            **tower,
            "num_hidden_layers": TEXT_LAYERS,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "projection_dim": WIDTH,
        },
        vision_config={
            **tower,
            "num_hidden_layers": VISION_LAYERS,
            "image_size": PIXELS,
            "patch_size": PATCH,
            "projection_dim": WIDTH,
        },
        projection_dim=WIDTH,
    )
    images = CLIPImageProcessorPil(size={"shortest_edge": PIXELS}, crop_size={"height": PIXELS, "width": PIXELS})
    return CLIPModel(config), CLIPProcessor(image_processor=images, tokenizer=tokenizer)


def new_blip() -> tuple[BlipForConditionalGeneration, BlipProcessor]:
    """A BlipForConditionalGeneration with random weights, and its processor."""
    tokenizer = blip_tokenizer()
    decoder_start = tokenizer.convert_tokens_to_ids(DECODER_START)
    tower = {"hidden_size": WIDTH, "intermediate_size": 4 * WIDTH, "num_attention_heads": HEADS}
    config = BlipConfig(
        text_config={
            **tower,
            "num_hidden_layers": TEXT_LAYERS,
            "encoder_hidden_size": WIDTH,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": CONTEXT,
            "bos_token_id": decoder_start,
            "eos_token_id": tokenizer.sep_token_id,
            "sep_token_id": tokenizer.sep_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "projection_dim": WIDTH,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "label_smoothing": 0.0,
        },
        vision_config={**tower, "num_hidden_layers": VISION_LAYERS, "image_size": PIXELS, "patch_size": PATCH},
        projection_dim=WIDTH,
        image_text_hidden_size=WIDTH,
    )
    images = BlipImageProcessorPil(size={"height": PIXELS, "width": PIXELS})
    return BlipForConditionalGeneration(config), BlipProcessor(image_processor=images, tokenizer=tokenizer)


def attributes(scene: Scene) -> list[int]:
    """The eight classes of a scene, in the order of ATTRIBUTES."""
    first, second = scene.first, scene.second
    values = (
        first.size, first.colour, first.shape, scene.relation,
        second.size, second.colour, second.shape, scene.background,
    )  # fmt: skip
    return [names.index(value) for names, value in zip(ATTRIBUTES, values)]


def batches(plan: "Plan") -> Iterator[tuple[list[Scene], torch.Tensor]]:
    """An endless stream of scenes with their normalised pictures, float32 of (plan.batch, 3, PIXELS, PIXELS)."""
    size = plan.batch
    mean = torch.tensor(CLIPImageProcessorPil.image_mean).view(1, 3, 1, 1)
    std = torch.tensor(CLIPImageProcessorPil.image_std).view(1, 3, 1, 1)
    stream = training_scenes(plan.seed, plan.small)
    while True:
        scenes, pictures = [], np.empty((size, PIXELS, PIXELS, 3), dtype=np.uint8)
        for row in range(size):
            scene, rng = next(stream)
            picture = draw(scene, rng, rng.choice((96, 128)), plan.small_radius)
            pictures[row] = np.asarray(picture.resize((PIXELS, PIXELS), Image.Resampling.BICUBIC))
            scenes.append(scene)
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        yield scenes, (pixels - mean) / std


def clip_loss(model: CLIPModel, tokenizer: CLIPTokenizer, scenes: list[Scene], pixels: torch.Tensor,
              rng: random.Random) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The contrastive loss of a batch, and the pooled vision output of (batch, WIDTH)."""
    texts = []
    for scene in scenes:
        text = scene.sentence
        texts.append(text.split(" on a ")[0] if rng.random() < 0.25 else text)
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    pooled = model.vision_model(pixel_values=pixels).pooler_output
    image = F.normalize(model.visual_projection(pooled), dim=-1)
    named = F.normalize(model.text_projection(model.text_model(**tokens).pooler_output), dim=-1)
    logits = model.logit_scale.exp().clamp(max=100) * named @ image.T
    target = torch.arange(len(scenes))
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2, pooled


def blip_loss(model: BlipForConditionalGeneration, tokenizer: BertTokenizer, scenes: list[Scene],
              pixels: torch.Tensor, shape_weight: float) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The language-modelling loss of a batch, and the pooled vision output of (batch, WIDTH)."""
    tokens = tokenizer([scene.sentence for scene in scenes], padding=True, return_tensors="pt")
    ids = tokens.input_ids
    ids[:, 0] = tokenizer.convert_tokens_to_ids(DECODER_START)
    labels = ids.masked_fill(tokens.attention_mask == 0, -100)
    labels[:, 0] = -100
    vision = model.vision_model(pixel_values=pixels)
    logits = model.text_decoder(
        input_ids=ids,
        attention_mask=tokens.attention_mask,
        encoder_hidden_states=vision.last_hidden_state,
        use_cache=False,
    ).logits
    weights = torch.ones(len(tokenizer))
    weights[tokenizer.convert_tokens_to_ids(list(SHAPES))] = shape_weight
    loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), weight=weights, ignore_index=-100)
    return loss, vision.pooler_output


@dataclass(frozen=True)
class Plan:
    """How to train: `rate` is the highest learning rate, `small` the share of small things (None: even)."""

    steps: int
    batch: int
    rate: float
    seed: int
    start: Path | None = None
    small: float | None = None
    shape_weight: float = 1.0
    small_radius: tuple[float, float] = RADIUS["small"]


def train(kind: str, out: Path, plan: Plan) -> None:
    """Train from random weights, or go on from the checkpoint in `plan.start`; saves in Hugging Face format."""
    torch.manual_seed(plan.seed)
    rng = random.Random(plan.seed)
    steps = plan.steps
    model: Any
    processor: Any
    model, processor = new_clip() if kind == "clip" else new_blip()
    if plan.start is not None:
        model = type(model).from_pretrained(plan.start)
    heads = torch.nn.ModuleList(torch.nn.Linear(WIDTH, len(names)) for names in ATTRIBUTES)
    parameters = [*model.parameters(), *heads.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, betas=(0.9, 0.98), weight_decay=0.02)
    warm_up = min(300, steps // 10)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm_up, 1.0) * (0.5 + 0.5 * float(np.cos(np.pi * step / steps))),
    )
    model.train()
    begin = time.monotonic()
    for step, (scenes, pixels) in zip(range(steps), batches(plan)):
        if kind == "clip":
            own, pooled = clip_loss(model, processor.tokenizer, scenes, pixels, rng)
        else:
            own, pooled = blip_loss(model, processor.tokenizer, scenes, pixels, plan.shape_weight)
        classes = torch.tensor([attributes(scene) for scene in scenes])
        per_attribute = [F.cross_entropy(head(pooled), classes[:, column]) for column, head in enumerate(heads)]
        named = torch.stack(per_attribute).mean()
        optimizer.zero_grad(set_to_none=True)
        (own + 0.5 * named).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        if step % 50 == 0 or step == steps - 1:
            print(
                f"{kind} step {step} loss {own.item():.4f} attributes {named.item():.4f}"
                f" after {time.monotonic() - begin:.0f} s",
                flush=True,
            )
        if step % 500 == 499 or step == steps - 1:
            model.save_pretrained(out)
            processor.save_pretrained(out)


def main() -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("clip", "blip"))
    parser.add_argument("--out", type=Path, help="folder to write (default: beside this script)")
    parser.add_argument("--start", type=Path, help="go on from this checkpoint instead of random weights")
    parser.add_argument("--steps", type=int, help=f"training steps (default: {STEPS})")
    parser.add_argument("--batch", type=int, default=64, help="pictures a step")
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--small", type=float, help="share of small things in the pictures (default: half of them)")
    parser.add_argument("--shape-weight", type=float, default=1.0, help="weight of a wrong shape in BLIP's loss")
    parser.add_argument(
        "--small-radius", type=float, nargs=2, default=RADIUS["small"], help="of small things, from and to"
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    out = chosen.out or HERE / f"shapes-{chosen.kind}"
    steps = chosen.steps or STEPS[chosen.kind]
    plan = Plan(
        steps, chosen.batch, chosen.rate, chosen.seed, chosen.start, chosen.small, chosen.shape_weight,
        tuple(chosen.small_radius),
    )  # fmt: skip
    train(chosen.kind, out, plan)


if __name__ == "__main__":
    main()
