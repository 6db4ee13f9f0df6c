"""A tiny checkpoint with random weights of each family of captioners, in the format of the hub, made at test time."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import (
    BartTokenizer,
    BertTokenizer,
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2Processor,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessorPil,
    CLIPImageProcessorPil,
    CLIPVisionConfig,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
    GitConfig,
    GitForCausalLM,
    GitProcessor,
    GPT2Tokenizer,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from tests.conftest import ROOT
from tests.workers.inference.tiny_embedders import LETTERS, MIDDLE, SQUARE, TEXT, VISION, bert_words, random_weights

CHAT = (
    "{% for turn in messages %}USER: {% for part in turn['content'] %}{% if part['type'] == 'image' %}<image>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endfor %} ASSISTANT:"
)


def letters(*first: str) -> dict[str, Any]:
    """The vocabulary of a tokenizer of bytes, as GPT-2 and BART have them; U+0120 stands for the blank."""
    pieces = [*first, "\u0120", "\u010a", *LETTERS, "<", ">", ":", "?", "_"]
    return {"vocab": {piece: number for number, piece in enumerate(pieces)}, "merges": []}


def number_of(piece: str, words: Any) -> int:
    """The number of a piece in a vocabulary."""
    return int(words.convert_tokens_to_ids(piece))


def blip(folder: Path) -> None:
    """A BLIP of other sizes than the shipped one, which is one of the rows as well."""
    like = ROOT / "models" / "shapes-blip"
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    shipped: Any = BlipConfig.from_pretrained(like).text_config
    text = {**shipped.to_dict(), **TEXT, "encoder_hidden_size": 32}
    small = BlipConfig(text_config=text, vision_config={**VISION, "image_size": 64})
    random_weights(BlipForConditionalGeneration, small).save_pretrained(folder)


def blip2(folder: Path) -> None:
    """A BLIP-2 with a language model of the OPT kind."""
    words = GPT2Tokenizer(**letters("</s>", "<pad>"), unk_token="</s>", bos_token="</s>", eos_token="</s>")
    words.pad_token = "<pad>"
    processor = Blip2Processor(BlipImageProcessorPil(size=SQUARE), words, num_query_tokens=4)
    numbers = {"vocab_size": len(words), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1}
    text = {
        "model_type": "opt",
        "hidden_size": 32,
        "ffn_dim": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "word_embed_proj_dim": 32,
        "max_position_embeddings": 64,
        "init_std": 0.2,
        **numbers,
    }
    config = Blip2Config(
        vision_config=VISION,
        qformer_config={**TEXT, "encoder_hidden_size": 32, "vocab_size": 20},
        text_config=text,
        num_query_tokens=4,
        image_token_index=number_of("<image>", words),
    )
    random_weights(Blip2ForConditionalGeneration, config).save_pretrained(folder)
    processor.save_pretrained(folder)


def git(folder: Path) -> None:
    """A GIT."""
    words: BertTokenizer = bert_words()
    numbers = {"bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id, "pad_token_id": 0}
    config = GitConfig(vision_config=VISION, **TEXT, **numbers, vocab_size=len(words), max_position_embeddings=64)
    random_weights(GitForCausalLM, config).save_pretrained(folder)
    GitProcessor(CLIPImageProcessorPil(**MIDDLE), words).save_pretrained(folder)


def florence2(folder: Path) -> None:
    """A Florence-2."""
    words = BartTokenizer(
        **letters("<s>", "<pad>", "</s>", "<unk>", "<mask>"), extra_special_tokens={"image_token": "<image>"}
    )
    numbers = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 2}
    text = {
        "model_type": "bart",
        "d_model": 32,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 48,
        "decoder_ffn_dim": 48,
        "max_position_embeddings": 128,
        "init_std": 0.2,
        "vocab_size": len(words),
        **numbers,
    }
    vision = {
        "embed_dim": [8, 16],
        "depths": [1, 1],
        "num_heads": [2, 4],
        "num_groups": [2, 4],
        "patch_size": [7, 3],
        "patch_stride": [4, 2],
        "patch_padding": [3, 1],
        "patch_prenorm": [False, True],
        "window_size": 4,
        "projection_dim": 32,
        "max_temporal_embeddings": 4,
        "max_position_embeddings": 50,
        "initializer_range": 0.2,
    }
    config = Florence2Config(text_config=text, vision_config=vision, image_token_id=number_of("<image>", words))
    random_weights(Florence2ForConditionalGeneration, config).save_pretrained(folder)
    images: Any = CLIPImageProcessorPil(size=SQUARE, do_center_crop=False)
    images.image_seq_length = 17
    Florence2Processor(images, words).save_pretrained(folder)


def llava(folder: Path) -> None:
    """A LLaVA, which stands for all that are asked in words by a template of their own."""
    words = GPT2Tokenizer(**letters("<unk>", "<pad>", "</s>"), unk_token="<unk>", bos_token="</s>", eos_token="</s>")
    words.pad_token = "<pad>"
    words.add_tokens(["<image>"], special_tokens=True)
    numbers: dict[str, Any] = {"bos_token_id": 2, "eos_token_id": 2, "pad_token_id": 1}
    text = LlamaConfig(**{**TEXT, "initializer_range": 0.6}, **numbers, vocab_size=len(words), num_key_value_heads=4)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**{**VISION, "initializer_range": 0.6}),
        text_config=text,
        image_token_index=number_of("<image>", words),
        vision_feature_layer=-1,
    )
    random_weights(LlavaForConditionalGeneration, config).save_pretrained(folder)
    LlavaProcessor(
        CLIPImageProcessorPil(**MIDDLE),
        words,
        patch_size=16,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=CHAT,
    ).save_pretrained(folder)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "BLIP": blip,
    "BLIP-2": blip2,
    "GIT": git,
    "Florence-2": florence2,
    "LLaVA": llava,
}
