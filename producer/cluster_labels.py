"""What the pictures of a cluster have in common, in the words of their captions."""

from collections import Counter
from collections.abc import Sequence

from producer.stats import count_words

WORDS = 3
# A word that fewer of the cluster's captions use says little about it.
LEAST_SHARE = 0.2


def cluster_labels(captions: Sequence[str], clusters: Sequence[int]) -> list[str]:
    """A label for each cluster, numbered from 0: the words that its captions use much more often than all do.

    Empty for a cluster whose captions say nothing of their own, or that has none.
    """
    count = max(clusters, default=-1) + 1
    words: list[Counter[str]] = [Counter() for _ in range(count)]
    sizes = [0] * count
    for caption, cluster in zip(captions, clusters, strict=True):
        if caption:
            words[cluster].update(count_words([caption]))
            sizes[cluster] += 1
    overall: Counter[str] = Counter()
    for each in words:
        overall.update(each)
    return [_label(each, size, overall, sum(sizes)) for each, size in zip(words, sizes, strict=True)]


def _label(words: Counter[str], size: int, overall: Counter[str], captions: int) -> str:
    def weight(word: str) -> float:
        # How much more often than everywhere, for words that are also frequent here.
        share = words[word] / size
        return share * (share / (overall[word] / captions))

    telling = [word for word, count in words.items() if count >= LEAST_SHARE * size]
    if size < captions:
        telling = [word for word in telling if words[word] / size > 1.2 * overall[word] / captions]
    return ", ".join(sorted(telling, key=lambda word: (-weight(word), word))[:WORDS])
