"""CLIP's tower for texts in numpy: a text costs little, and the libraries that pictures need cost seconds to import.

Read from the files of a checkpoint itself, and its own weights alone. What is not known to give the library's results
is an Unusual checkpoint, for which the library runs.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.checkpoint import looks_like_a_folder

Rows = NDArray[np.float32]
WEIGHTS = "model.safetensors"
PREFIXES = ("text_model.", "text_projection.")
# More texts at the same time would take memory and save nothing.
BATCH = 32


class Unusual(Exception):
    """A checkpoint that is not on this machine, or not in the form that is read here."""


class TextTower:
    """The text tower of the CLIP checkpoint `model`; raises Unusual, or whatever reading a broken file raises."""

    def __init__(self, model: str) -> None:
        config = json.loads(_file(model, "config.json").read_text(encoding="utf-8"))
        if config.get("model_type") != "clip" or "auto_map" in config:
            raise Unusual("not a CLIP of the library")
        # The library's defaults, which a config need not repeat.
        text = {**_DEFAULTS, **config.get("text_config", {})}
        if text["hidden_act"] not in _ACTIVATIONS:
            raise Unusual(text["hidden_act"])
        self._act = _ACTIVATIONS[text["hidden_act"]]
        self._heads, self._layers = int(text["num_attention_heads"]), int(text["num_hidden_layers"])
        self._epsilon, self._end = float(text["layer_norm_eps"]), int(text["eos_token_id"])
        self._tokenizer = _tokenizer(model, int(text["max_position_embeddings"]))
        self._weights = _weights(_file(model, WEIGHTS))
        # Tried at once: weights that are missing or of another shape are found here.
        rows = self.embed(["a photo"])
        if rows.shape[1] != config.get("projection_dim", 512) or not np.isfinite(rows).all():
            raise Unusual("other numbers than its config says")

    def embed(self, texts: Sequence[str]) -> Rows:
        """Embed texts, truncated to the model's context; returns float32 (n, dim), each row of length one."""
        return np.concatenate([self._embed(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)])

    def is_cut(self, text: str) -> bool:
        """True where the text is longer than the model's context, so that its end is not looked at."""
        return bool(self._tokenizer.encode(text).overflowing)

    def _embed(self, texts: Sequence[str]) -> Rows:
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        # Words look back only, so what fills up the shorter texts behind their end changes nothing before it.
        ids = np.zeros((len(encoded), max(map(len, encoded))), dtype=np.int64)
        for row, each in zip(ids, encoded, strict=True):
            row[: len(each)] = each
        states = self._forward(ids)
        # Checkpoints whose config says 2 are older than the right number in it: their end is their last word.
        ends = (ids if self._end == 2 else ids == self._end).argmax(axis=1)
        rows = states[np.arange(len(ids)), ends] @ self._weights["text_projection.weight"].T
        return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)

    def _forward(self, ids: NDArray[np.int64]) -> Rows:
        length = ids.shape[1]
        states = self._weights["text_model.embeddings.token_embedding.weight"][ids]
        states = states + self._weights["text_model.embeddings.position_embedding.weight"][:length]
        ahead = np.triu(np.full((length, length), -np.inf, dtype=np.float32), 1)
        for number in range(self._layers):
            layer = f"text_model.encoder.layers.{number}"
            states = states + self._attention(f"{layer}.self_attn", self._norm(f"{layer}.layer_norm1", states), ahead)
            inner = self._act(self._linear(f"{layer}.mlp.fc1", self._norm(f"{layer}.layer_norm2", states)))
            states = states + self._linear(f"{layer}.mlp.fc2", inner)
        return self._norm("text_model.final_layer_norm", states)

    def _attention(self, name: str, states: Rows, ahead: Rows) -> Rows:
        texts, length, width = states.shape

        def heads(part: str) -> Rows:
            rows = self._linear(f"{name}.{part}_proj", states)
            return rows.reshape(texts, length, self._heads, -1).transpose(0, 2, 1, 3)

        scores = heads("q") @ heads("k").transpose(0, 1, 3, 2) * np.float32((width // self._heads) ** -0.5) + ahead
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = scores / scores.sum(axis=-1, keepdims=True) @ heads("v")
        return self._linear(f"{name}.out_proj", attended.transpose(0, 2, 1, 3).reshape(texts, length, width))

    def _linear(self, name: str, states: Rows) -> Rows:
        rows: Rows = states @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return rows

    def _norm(self, name: str, states: Rows) -> Rows:
        centred = states - states.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt((centred * centred).mean(axis=-1, keepdims=True) + np.float32(self._epsilon))
        rows: Rows = centred * scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        return rows


_DEFAULTS: dict[str, Any] = {
    "hidden_act": "quick_gelu",
    "num_attention_heads": 8,
    "num_hidden_layers": 12,
    "layer_norm_eps": 1e-5,
    "eos_token_id": 49407,
    "max_position_embeddings": 77,
}


def _quick_gelu(x: Rows) -> Rows:
    return x / (1 + np.exp(np.float32(-1.702) * x))


def _gelu(x: Rows) -> Rows:
    # erf by formula 7.1.26 of Abramowitz and Stegun, at most 1.5e-7 off: as near as float32 can tell.
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    factors = (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
    series = np.zeros_like(t)
    for factor in factors:
        series = (series + np.float32(factor)) * t
    rows: Rows = x * (1 + np.sign(x) * (1 - series * np.exp(-z * z))) / 2
    return rows


_ACTIVATIONS: Mapping[str, Callable[[Rows], Rows]] = {"quick_gelu": _quick_gelu, "gelu": _gelu}


def _file(model: str, name: str) -> Path:
    """A file of a checkpoint on this machine; raises Unusual where it is not."""
    folder = Path(model)
    if looks_like_a_folder(model) or folder.is_dir():
        path: Path | str | None = folder / name
    else:
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(model, name)
        path = found if isinstance(found, str) else None
    if path is None or not Path(path).is_file():
        raise Unusual(f"no {name}")
    return Path(path)


def _weights(file: Path) -> dict[str, Rows]:
    """The weights of the tower in float32; those of the rest of the checkpoint are not read."""
    from safetensors import safe_open

    with safe_open(file, framework="np") as stored:
        names = [name for name in stored.keys() if name.startswith(PREFIXES)]  # noqa: SIM118, it is no mapping
        return {name: stored.get_tensor(name).astype(np.float32, copy=False) for name in names}


def _tokenizer(model: str, context: int) -> Any:
    from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors

    config = json.loads(_file(model, "tokenizer_config.json").read_text(encoding="utf-8"))
    if config.get("tokenizer_class") not in ("CLIPTokenizer", "CLIPTokenizerFast") or "auto_map" in config:
        raise Unusual("another tokenizer")
    tokenizer = Tokenizer.from_file(str(_file(model, "tokenizer.json")))
    # The library takes the words from the file and has the steps before and after them itself.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(_WORDS), behavior="removed", invert=True), pre_tokenizers.ByteLevel(False)]
    )
    begin, end = (_word(config, key, text) for key, text in (("bos", "startoftext"), ("eos", "endoftext")))
    last, first = tokenizer.token_to_id(end), tokenizer.token_to_id(begin)
    if last is None or first is None:
        raise Unusual("no words for begin and end")
    tokenizer.post_processor = processors.RobertaProcessing((end, last), (begin, first), False, False)
    tokenizer.no_padding()
    tokenizer.enable_truncation(context)
    return tokenizer


_WORDS = r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""


def _word(config: Mapping[str, Any], key: str, usual: str) -> str:
    word = config.get(f"{key}_token", f"<|{usual}|>")
    return str(word["content"] if isinstance(word, dict) else word)
