"""A tiny checkpoint with random weights of each family of embedders, in the format of the hub, made at test time."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AltCLIPConfig,
    AltCLIPModel,
    AltCLIPProcessor,
    BertTokenizer,
    ChineseCLIPConfig,
    ChineseCLIPImageProcessorPil,
    ChineseCLIPModel,
    ChineseCLIPProcessor,
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPProcessor,
    GemmaTokenizer,
    MetaClip2Config,
    MetaClip2Model,
    Siglip2Config,
    Siglip2ImageProcessorPil,
    Siglip2Model,
    Siglip2Processor,
    Siglip2Tokenizer,
    SiglipConfig,
    SiglipImageProcessorPil,
    SiglipModel,
    SiglipProcessor,
    SiglipTokenizer,
    XLMRobertaTokenizer,
)

from tests.conftest import ROOT

TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "initializer_range": 0.2,
}
VISION = {**TEXT, "image_size": 32, "patch_size": 16}
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,!'"
WORDS = ("a red circle left of a small blue square", "Zwei grosse gelbe Sterne, oben!", "two large yellow stars")
SQUARE: dict[str, Any] = {"height": 32, "width": 32}
MIDDLE: dict[str, Any] = {"size": {"shortest_edge": 36}, "crop_size": SQUARE}


def random_weights(model: type[Any], config: Any) -> Any:
    """A model of this class; the same weights each time."""
    torch.manual_seed(6)
    return model(config).eval()


def bert_words(*more: str) -> BertTokenizer:
    """A tokenizer of letters, as BERT has them."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS), *more]
    return BertTokenizer(vocab={piece: number for number, piece in enumerate(dict.fromkeys(pieces))})


def roberta_words() -> XLMRobertaTokenizer:
    """A tokenizer of letters, as XLM-R has them."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    pieces = [(piece, 0.0) for piece in special] + [(piece, -3.0) for piece in ("\u2581", *LETTERS)]
    return XLMRobertaTokenizer(vocab=[*pieces, ("<mask>", 0.0)])


def gemma_words() -> dict[str, Any]:
    """The vocabulary of a tokenizer of letters, as Gemma has them."""
    pieces = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", "\u2581", *LETTERS]
    return {"vocab": {piece: number for number, piece in enumerate(pieces)}, "merges": []}


def clip(folder: Path, act: str = "gelu", dim: int = 24, **processor: Any) -> None:
    """A CLIP as LAION's are: the exact GELU, and the number of the end as older configs have it."""
    like = ROOT / "models" / "shapes-clip"
    shutil.copytree(like, folder, ignore=shutil.ignore_patterns("*.safetensors", "*config.json"))
    shutil.copy(like / "tokenizer_config.json", folder)
    shipped: Any = CLIPConfig.from_pretrained(like).text_config
    text = {"vocab_size": shipped.vocab_size, "bos_token_id": 0, "eos_token_id": 2, "max_position_embeddings": 20}
    config = CLIPConfig(
        text_config={**TEXT, **text, "hidden_act": act}, vision_config={**VISION, "hidden_act": act}, projection_dim=dim
    )
    random_weights(CLIPModel, config).save_pretrained(folder)
    CLIPImageProcessorPil(**{**MIDDLE, **processor}).save_pretrained(folder)


def clip_of_another_shape(folder: Path) -> None:
    """A CLIP with another activation, projection, filter, scale and proportions."""
    clip(folder, "quick_gelu", 40, size=SQUARE, resample=2, do_center_crop=False, rescale_factor=1 / 127.5)


def siglip(folder: Path) -> None:
    """A SigLIP, whose tokenizer comes in a file of sentencepiece."""
    import sentencepiece

    folder.mkdir()
    with (folder / "spiece.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([text.lower() for text in WORDS] * 20),
            model_writer=file,
            vocab_size=200,
            hard_vocab_limit=False,
            unk_id=0,
            pad_id=1,
            eos_id=2,
            bos_id=-1,
            minloglevel=2,
        )
    words = SiglipTokenizer(str(folder / "spiece.model"), model_input_names=["input_ids"])
    text = {**TEXT, "vocab_size": len(words), "max_position_embeddings": 64}
    random_weights(SiglipModel, SiglipConfig(text_config=text, vision_config=VISION)).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessorPil(size=SQUARE), words).save_pretrained(folder)


def siglip2_of_one_size(folder: Path) -> None:
    """A SigLIP 2 of a fixed size, as google/siglip2-base-patch32-256 is: a SigLIP with Gemma's tokenizer."""
    words = GemmaTokenizer(**gemma_words(), add_bos_token=False, add_eos_token=True, model_input_names=["input_ids"])
    text = {**TEXT, "vocab_size": len(words), "max_position_embeddings": 64}
    random_weights(SiglipModel, SiglipConfig(text_config=text, vision_config=VISION)).save_pretrained(folder)
    SiglipProcessor(SiglipImageProcessorPil(size=SQUARE), words).save_pretrained(folder)


def siglip2_of_any_size(folder: Path) -> None:
    """A SigLIP 2 that sees pictures in their own proportions (NaFlex)."""
    words = Siglip2Tokenizer(**gemma_words(), model_input_names=["input_ids"])
    text = {**TEXT, "vocab_size": len(words), "max_position_embeddings": 64}
    vision = {**TEXT, "patch_size": 16, "num_patches": 16}
    config = Siglip2Config(text_config=text, vision_config=vision)
    random_weights(Siglip2Model, config).save_pretrained(folder)
    processor = Siglip2ImageProcessorPil(patch_size=16, max_num_patches=12)
    Siglip2Processor(processor, words).save_pretrained(folder)


def chinese_clip(folder: Path) -> None:
    """A Chinese-CLIP."""
    words = bert_words(*"\u7ea2\u5706\u7684\u84dd")
    text = {**TEXT, "vocab_size": len(words), "max_position_embeddings": 40}
    config = ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    random_weights(ChineseCLIPModel, config).save_pretrained(folder)
    images = ChineseCLIPImageProcessorPil(size=SQUARE, do_center_crop=False)
    ChineseCLIPProcessor(images, words).save_pretrained(folder)


def altclip(folder: Path) -> None:
    """An AltCLIP."""
    words = roberta_words()
    numbers = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    text = {**TEXT, **numbers, "vocab_size": len(words), "max_position_embeddings": 62, "project_dim": 24}
    config = AltCLIPConfig(text_config=text, vision_config=VISION, projection_dim=24)
    random_weights(AltCLIPModel, config).save_pretrained(folder)
    AltCLIPProcessor(CLIPImageProcessorPil(**MIDDLE), words).save_pretrained(folder)


def metaclip2(folder: Path) -> None:
    """A MetaCLIP 2, which nothing here knows by its name."""
    words = roberta_words()
    text = {**TEXT, "vocab_size": len(words), "max_position_embeddings": 60, "eos_token_id": 2}
    config = MetaClip2Config(text_config=text, vision_config=VISION, projection_dim=24)
    random_weights(MetaClip2Model, config).save_pretrained(folder)
    CLIPProcessor(CLIPImageProcessorPil(**MIDDLE), words).save_pretrained(folder)


FAMILIES: dict[str, Callable[[Path], None]] = {
    "CLIP": clip,
    "CLIP of another shape": clip_of_another_shape,
    "SigLIP": siglip,
    "SigLIP 2 of one size": siglip2_of_one_size,
    "SigLIP 2 of any size": siglip2_of_any_size,
    "Chinese-CLIP": chinese_clip,
    "AltCLIP": altclip,
    "MetaCLIP 2": metaclip2,
}
