"""A folder of bad inputs, the same for the same seed: damaged, odd and hostile files, and things that are no files."""

import os
import random
import socket
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from models.scenes import draw, fresh_scenes
from tests.pictures.made.cr3_file import cr3_file
from tests.pictures.made.described import FULL
from tests.pictures.made.hand_made import bomb, chunk, claiming, png
from tests.pictures.made.pictures import FORMATS, encoded, quarters, smooth
from tests.pictures.made.raw_files import raw_file

CUTS, FLIPS = 20, 5
HUGE = 30_000
IDAT = zlib.compress(bytes(65 * 64))
EXTENSIONS = {"JPEG": "jpg", "JPEG2000": "jpg", "PNG": "png", "WEBP": "webp", "GIF": "gif", "TIFF": "tif", "BMP": "bmp",
              "AVIF": "avif", "HEIF": "heic"}  # fmt: skip


@dataclass
class Corpus:
    """What was written: names that must be stored, names that must fail for a reason that holds these words."""

    folder: Path
    sound: list[str] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    either: set[str] = field(default_factory=set)
    not_files: set[str] = field(default_factory=set)

    @property
    def names(self) -> set[str]:
        """Everything that counts as a file of the job."""
        return {*self.sound, *self.stored, *self.failed, *self.either}


def whole_files() -> dict[str, tuple[str, bytes]]:
    """A small sound file of every format and of every layout with a decoder of its own: label -> extension, bytes."""
    picture, frame = smooth(96, 64), smooth(96, 64, seed=1)
    found = {form.lower(): (EXTENSIONS[form], encoded(picture, form)) for form in FORMATS}
    for form in ("GIF", "WEBP", "PNG"):
        film = encoded(picture, form, save_all=True, append_images=[frame])
        found[f"animated {form.lower()}"] = (EXTENSIONS[form], film)
    found["progressive jpeg"] = ("jpeg", encoded(picture, "JPEG", progressive=True))
    found["lzw tiff"] = ("tiff", encoded(picture, "TIFF", compression="tiff_lzw"))
    found["dng"] = ("DNG", raw_file("DNG", picture, preview=encoded(picture, "JPEG")))
    found["cr3"] = ("Cr3", cr3_file(picture.size, encoded(picture, "JPEG")))
    found["nef without preview"] = ("nef", raw_file("NEF", picture))
    found["cmyk jpeg"] = ("JPG", encoded(picture.convert("CMYK"), "JPEG"))
    return found


def write_corpus(folder: Path, seed: int = 5) -> Corpus:
    """Write it all below `folder`, which must not be there yet."""
    corpus = Corpus(folder)
    folder.mkdir()
    rng = random.Random(seed)
    # Spread over the order of the names, so that each batch has bad neighbours.
    for number, scene in enumerate(fresh_scenes(seed, 12)):
        name = f"{chr(ord('a') + 2 * number)} sound.{('png', 'jpg', 'webp')[number % 3]}"
        draw(scene, rng, 96).save(folder / name, quality=92)
        corpus.sound.append(name)
    for name, data in _damaged(rng):
        (folder / name).write_bytes(data)
        corpus.either.add(name)
    for name, data in _odd():
        (folder / name).write_bytes(data)
        corpus.stored.add(name)
    for name, data, words in _hopeless():
        (folder / name).write_bytes(data)
        corpus.failed[name] = words
    _special(corpus)
    return corpus


def _damaged(rng: random.Random) -> Iterator[tuple[str, bytes]]:
    for label, (extension, data) in whole_files().items():
        for cut in range(CUTS):
            yield f"cut {label} {cut:02}.{extension}", data[: max(1, len(data) * cut // CUTS)]
        for number in range(FLIPS):
            flipped = bytearray(data)
            for _ in range(rng.randint(1, 8)):
                reach = rng.choice((64, 256, len(data)))
                flipped[rng.randrange(min(reach, len(data)))] ^= 1 << rng.randrange(8)
            yield f"flipped {label} {number}.{extension}", bytes(flipped)
    for form in ("JPEG", "PNG", "WEBP"):
        for number, exif in enumerate(
            (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
        ):
            yield f"broken exif {number}.{EXTENSIONS[form]}", encoded(quarters(), form, exif=exif)
    yield "unpacks to more.png", png(64, 64, chunk(b"IDAT", bomb()))
    yield "text bomb.png", png(64, 64, chunk(b"zTXt", b"text\0\0" + bomb()), chunk(b"IDAT", IDAT))
    yield "profile bomb.png", png(64, 64, chunk(b"iCCP", b"name\0\0" + bomb()), chunk(b"IDAT", IDAT))
    yield f"claims {HUGE}.avif", claiming(encoded(smooth(128, 64), "AVIF"), "AVIF", HUGE, HUGE)


def _odd() -> Iterator[tuple[str, bytes]]:
    """Sound, and yet what careless code stumbles over."""
    for form in FORMATS:
        yield f"one pixel.{EXTENSIONS[form]}", encoded(Image.new("RGB", (1, 1), (200, 100, 50)), form)
        wrong = "png" if form == "JPEG" else "jpg"
        yield f"really {form.lower()}.{wrong}", encoded(quarters(), form)
    for kind in ("DNG", "NEF", "CR2", "ARW", "ORF", "RW2", "RAF"):
        yield f"camera.{kind}", raw_file(kind, smooth(96, 64), preview=encoded(smooth(96, 64), "JPEG"))
    yield "camera.CR3", cr3_file((96, 64), encoded(smooth(96, 64), "JPEG"))
    exif = Image.Exif()
    exif.update({ExifTags.Base.Make: "Canon", ExifTags.Base.Model: "Canon EOS R5"})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)})
    yield "described.jpg", encoded(quarters(), "JPEG", exif=exif.tobytes(), xmp=FULL)
    yield "really a dng.jpg", raw_file("DNG", smooth(96, 64))
    yield "really a jpeg.nef", encoded(quarters(), "JPEG")
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (64, 1))
    yield "sixteen bit.png", encoded(Image.fromarray(ramp), "PNG")
    yield "sixteen bit.tif", encoded(Image.fromarray(ramp), "TIFF")
    yield "floats.tif", encoded(Image.fromarray(ramp.astype(np.float32)), "TIFF")
    yield "cmyk.tif", encoded(quarters().convert("CMYK"), "TIFF")
    yield "palette with alpha.png", encoded(quarters().quantize(8), "PNG", transparency=bytes(range(0, 256, 32)))
    yield "thin.png", encoded(Image.new("L", (1, 9_000)), "PNG")
    yield "wide.webp", encoded(Image.new("L", (9_000, 1)), "WEBP")
    yield "sixteen million black pixels.png", encoded(Image.new("1", (4_000, 4_000)), "PNG")
    yield "trailing rubbish.jpg", encoded(quarters(), "JPEG") + b"rubbish" * 500


def _hopeless() -> Iterator[tuple[str, bytes, str]]:
    too_many = f"{HUGE} x {HUGE} = 900,000,000 pixels are more than ingest.max_pixels"
    for form in FORMATS:
        if form not in ("WEBP", "AVIF"):  # the one's header cannot say it, the other's says it twice
            yield (
                f"claims {HUGE}.{EXTENSIONS[form]}",
                claiming(encoded(smooth(128, 64), form), form, HUGE, HUGE),
                too_many,
            )
    for name in ("empty.jpg", "empty.HEIC"):
        yield name, b"", "the file is empty"
    unknown = "its content is not a picture format that Darkroom reads"
    yield "letter.jpg", b"Dear Sir or Madam, " * 90, unknown
    yield "zeroes.png", bytes(5_000), unknown
    yield "page.webp", b"<!doctype html><title>404</title>", unknown
    yield "postscript.tif", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", unknown
    yield "archive.heic", b"PK\x03\x04" + bytes(300), unknown
    yield "film.avif", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(300), unknown
    yield "half a gigabyte of nothing.bmp", b"", "bytes are more than ingest.max_bytes"


def _special(corpus: Corpus) -> None:
    """Directories, pipes, sockets, devices and links under the names of pictures."""
    folder = corpus.folder
    os.truncate(folder / "half a gigabyte of nothing.bmp", 600_000_000)  # sparse: it takes no room
    (folder / "album.jpg").mkdir()
    (folder / "link to a folder.jpg").symlink_to("album.jpg", target_is_directory=True)
    (folder / "link up.png").symlink_to(folder, target_is_directory=True)
    corpus.not_files |= {"album.jpg", "link to a folder.jpg", "link up.png"}
    os.mkfifo(folder / "pipe.jpg")
    corpus.failed["pipe.jpg"] = "not a regular file but a named pipe"
    (folder / "random.jpg").symlink_to("/dev/urandom")
    (folder / "nothing.png").symlink_to("/dev/null")
    with suppress(PermissionError):  # only root may make one; the links above do for everybody
        os.mknod(folder / "device.jpg", 0o666 | 0o020000, os.makedev(1, 5))
    for name in ("random.jpg", "nothing.png", "device.jpg"):
        if name != "device.jpg" or (folder / name).exists():
            corpus.failed[name] = "not a regular file but a device"
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(folder, os.O_RDONLY)  # by the descriptor, for the path of a socket must be short
        listener.bind(f"/proc/self/fd/{here}/socket.gif")
        os.close(here)
    corpus.failed["socket.gif"] = "not a regular file but a socket"
    (folder / "dangling.webp").symlink_to("nowhere.webp")
    corpus.failed["dangling.webp"] = "the file is gone"
    (folder / "ring.jpg").symlink_to("ring.jpg")
    (folder / "there.jpg").symlink_to("back.jpg")
    (folder / "back.jpg").symlink_to("there.jpg")
    corpus.failed |= dict.fromkeys(("ring.jpg", "there.jpg", "back.jpg"), "the link leads back to itself")
    locked = folder / "locked.png"
    locked.write_bytes(encoded(quarters(), "PNG"))
    locked.chmod(0)
    # No permission stops root, to whom this is a file like any other; test_read.py asks as somebody else.
    if os.geteuid() == 0:
        corpus.stored.add("locked.png")
    else:
        corpus.failed["locked.png"] = "no permission to read it"
