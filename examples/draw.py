"""Draws the example pictures: `python -m examples.draw [DIR]`.

Some dozens of scenes as JPEG, PNG and WebP, in one folder for each relation, and one JPEG that was cut off half-way,
to show what a failure looks like. The same scenes, drawn in the same way, at every run.
"""

import argparse
import io
import random
from pathlib import Path

from PIL import Image

from models.scenes import Scene, Thing, draw, fresh_scenes

PICTURES = Path(__file__).resolve().parent / "pictures"
SEED = 36
PIXELS = 256
FORMATS: dict[str, dict[str, int]] = {"JPEG": {"quality": 88}, "PNG": {}, "WEBP": {"quality": 88}}
SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "WEBP": ".webp"}
# The one that the demo searches for.
WANTED = Scene(Thing("large", "red", "circle"), "above", Thing("small", "blue", "square"), "white")


def example_scenes(count: int = 36) -> list[Scene]:
    """The scene that the demo searches for, and `count` - 1 others that the checkpoints were not trained on."""
    others = [scene for scene in fresh_scenes(SEED, count) if scene != WANTED]
    return [WANTED, *others[: count - 1]]


def file_name(scene: Scene, suffix: str) -> str:
    """A name that tells what the picture shows: `large-red-circle-above-small-blue-square-on-white.jpg`."""
    first, second = (f"{thing.size} {thing.colour} {thing.shape}" for thing in (scene.first, scene.second))
    return f"{first} {scene.relation} {second} on {scene.background}".replace(" ", "-") + suffix


def encoded(scene: Scene, kind: str) -> bytes:
    """The picture of a scene, PIXELS x PIXELS, as the bytes of a JPEG, PNG or WEBP file."""
    drawn: Image.Image = draw(scene, random.Random(f"{SEED} {scene.sentence}"), PIXELS)
    file = io.BytesIO()
    drawn.save(file, kind, **FORMATS[kind])
    return file.getvalue()


def draw_examples(folder: Path) -> list[Path]:
    """Write all pictures below `folder`, the corrupt one last; returns their paths."""
    paths = []
    for number, scene in enumerate(example_scenes()):
        kind = tuple(FORMATS)[number % len(FORMATS)]
        path = folder / scene.relation.replace(" ", "-") / file_name(scene, SUFFIXES[kind])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(scene, kind))
        paths.append(path)
    whole = encoded(WANTED, "JPEG")
    paths.append(folder / "corrupt.jpg")
    paths[-1].write_bytes(whole[: len(whole) // 2])
    return paths


def main() -> None:
    """Command line of the script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=PICTURES, help="where to draw (default: %(default)s)")
    paths = draw_examples(parser.parse_args().folder)
    print(f"{len(paths)} files, {sum(path.stat().st_size for path in paths) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
