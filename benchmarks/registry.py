"""The benchmarks by name. A module is imported only when one of its benchmarks runs: some need torch, some must not."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks.harness import Figure

# Gets a scratch folder of its own and whether a smoke run will do; returns its figures.
Benchmark = Callable[[Path, bool], list[Figure]]

# Name of the benchmark (of its main figure) -> module:function.
BENCHMARKS = {
    "efficiency_clip": "benchmarks.efficiency:efficiency_clip",
    "efficiency_caption": "benchmarks.efficiency:efficiency_caption",
    "vs_seed_12mp": "benchmarks.peers.seed:vs_seed_12mp",
    "vs_sentence_transformers": "benchmarks.peers.comparison:vs_sentence_transformers",
    "vs_rclip": "benchmarks.peers.comparison:vs_rclip",
    "vs_generate_single_float32": "benchmarks.generate:vs_generate_single_float32",
    "fidelity_median": "benchmarks.fidelity:fidelity",
    "fidelity_captions_int8": "benchmarks.fidelity:fidelity_captions",
    "stages": "benchmarks.stages:stages",
    "ocr_words": "benchmarks.inference.ocr:ocr_words",
    "embedders_ms": "benchmarks.inference.families:embedders_ms",
    "thumbnail_ms": "benchmarks.gallery.thumbnails:thumbnail_ms",
    "null_files_per_s": "benchmarks.null_model:null_files_per_s",
    "null_files_per_s_32": "benchmarks.null_model:null_files_per_s_32",
    "null_files_per_s_procs": "benchmarks.null_model:null_files_per_s_procs",
    "null_vs_release": "benchmarks.null_model:null_vs_release",
    "enqueue_per_s": "benchmarks.throughput:enqueue_per_s",
    "enqueue_per_s_32": "benchmarks.throughput:enqueue_per_s_32",
    "plan_per_s": "benchmarks.throughput:plan_per_s",
    "producer_rss_mb": "benchmarks.memory:producer_rss_mb",
    "rss_growth": "benchmarks.memory:rss_growth",
    "gpu_rss_mb": "benchmarks.memory:gpu_rss_mb",
    "scaleout_8": "benchmarks.throughput:scaleout_8",
    "search_p50_ms": "benchmarks.collection:search_p50_ms",
    "near_duplicates_20k_s": "benchmarks.collection:near_duplicates_20k_s",
    "cold_status_s": "benchmarks.peers.cold_start:cold_status_s",
    "cold_search_s": "benchmarks.peers.cold_start:cold_search_s",
    "warm_search_s": "benchmarks.peers.cold_start:warm_search_s",
    "time_to_search_1000_s": "benchmarks.peers.cold_start:time_to_search_1000_s",
    "web_search_p95_ms": "benchmarks.gallery.serving:web_search_p95_ms",
    "web_scroll_mb": "benchmarks.gallery.serving:web_scroll_mb",
    "http_embed_efficiency": "benchmarks.gallery.embed:http_embed_efficiency",
    "vs_infinity": "benchmarks.peers.infinity:vs_infinity",
    "flower_p95_ms": "benchmarks.flower:flower_p95_ms",
    "edge_700k": "benchmarks.large.embedded:edge_700k",
    "edge_million": "benchmarks.large.million:edge_million",
}
# Half an hour and several GB of disk, or the checkout of another release: they run only where they are named.
LARGE = {"edge_700k", "edge_million", "null_vs_release"}
# One of each part of the way, in a few minutes: what `--check` runs where nothing is named.
SHORT = (
    "efficiency_clip",
    "vs_generate_single_float32",
    "fidelity_median",
    "null_files_per_s",
    "null_files_per_s_32",
    "enqueue_per_s",
    "plan_per_s",
    "near_duplicates_20k_s",
)


def find(name: str) -> Benchmark:
    """The function of a benchmark; raises KeyError for an unknown name."""
    module, _, function = BENCHMARKS[name].partition(":")
    benchmark: Benchmark = getattr(import_module(module), function)
    return benchmark
