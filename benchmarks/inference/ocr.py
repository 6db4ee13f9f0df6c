"""ocr_words: how many words are found in pictures of text, and what that costs."""

import re
import time
from collections import Counter
from pathlib import Path

from benchmarks.figures.bounds import at_least
from benchmarks.harness import Figure, measured
from benchmarks.inference.written import Written, written
from workers.inference.text_reader import TextReader

PICTURES, QUICK = 200, 5
GOAL = at_least(95, floor=93)


def found_words(text: str, picture: Written) -> list[bool]:
    """For each word of a picture, whether it stands in the text that was read, in any case."""
    read = set(re.findall(r"\w+", text.lower()))
    return [word in read for word in picture.words]


def ocr_words(scratch: Path, quick: bool) -> list[Figure]:
    """The share of words found, in per cent; the table has it by typeface, angle and noise."""
    reader = TextReader()
    reader.loaded()
    right: Counter[str] = Counter()
    all_words: Counter[str] = Counter()
    count = QUICK if quick else PICTURES
    spent = 0.0
    for number in range(count):
        picture = written(number)
        begin = time.process_time()
        (text,) = reader.read([picture.pixels])
        spent += time.process_time() - begin
        found = found_words(text, picture)
        tilt = "upright" if picture.angle == 0 else "turned by 90 or 180" if abs(picture.angle) >= 90 else "tilted"
        for group in ("all", picture.face, tilt, f"noise {picture.noise}"):
            right[group] += sum(found)
            all_words[group] += len(found)
    rows = [["pictures", "words", "found, %"]]
    rows += [[group, str(words), f"{100 * right[group] / words:.1f}"] for group, words in sorted(all_words.items())]
    share = 100 * right["all"] / all_words["all"]
    cost = 1000 * spent / count
    return [
        measured("ocr_words", [share], "%", GOAL, detail={"table": rows}),
        measured("ocr_ms", [cost], "ms of one core/picture"),
    ]
