"""Opens bytes as well as they can be: as they are, then without what is broken beside the picture, then cut off."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from PIL import Image

from pictures.picture import LoadError, check_size
from pictures.repair import av1, bmp, gif, heif, jpeg, png, tiff, webp
from pictures.repair.remains import ENOUGH, Remains, cut_off, damage


class Load(Protocol):
    """Opens bytes and decodes their pixels; with `cut_off` the pixels that are there, whatever the decoder says."""

    def __call__(self, data: bytes, *, cut_off: bool = False) -> Image.Image: ...


@dataclass(frozen=True)
class Format:
    """What is done with the bytes of a format."""

    # The bytes that a decoder is to see.
    wanted: Callable[[bytes], bytes] = lambda data: data
    # Width and height, where a decoder takes memory for them when it opens a file.
    claimed_size: Callable[[bytes], tuple[int, int] | None] = lambda data: None
    # Bytes of the same picture with less and less beside it.
    without_broken: Callable[[bytes], Iterable[bytes]] = lambda data: ()
    # True unless pixels, or the end behind them, are missing in what a decoder has read without an error.
    is_whole: Callable[[bytes, Image.Image], bool] = lambda data, image: True
    remains: Callable[[bytes], Remains | None] = lambda data: None


_FORMATS = {
    "JPEG": Format(without_broken=jpeg.without_broken, is_whole=jpeg.is_whole, remains=jpeg.remains),
    "PNG": Format(
        without_broken=png.without_broken, is_whole=lambda data, image: png.is_whole(data), remains=png.remains
    ),
    "GIF": Format(gif.first_picture, is_whole=lambda data, image: gif.is_whole(data), remains=gif.remains),
    "WEBP": Format(
        claimed_size=webp.claimed_size,
        without_broken=webp.without_broken,
        is_whole=lambda data, image: webp.is_whole(data),
        remains=webp.remains,
    ),
    "BMP": Format(remains=bmp.remains),
    "TIFF": Format(remains=tiff.remains),
    "AVIF": Format(claimed_size=av1.claimed_size, without_broken=heif.without_broken),
    "HEIF": Format(without_broken=heif.without_broken),
}


def load_best(data: bytes, format_name: str | None, max_pixels: int, load: Load) -> tuple[Image.Image, str | None]:
    """The picture, and what is wrong with its pixels, None if nothing; raises LoadError, or what `load` raises."""
    this = _FORMATS.get(format_name or "", Format())
    data = this.wanted(data)
    size = this.claimed_size(data)
    if size is not None:
        check_size(*size, max_pixels)

    def versions() -> Iterator[bytes]:
        yield data
        yield from this.without_broken(data)

    image, failure = _attempt(load, data)
    if image is not None and this.is_whole(data, image):
        return image, None
    for version in this.without_broken(data) if image is None else ():
        image, failure = _attempt(load, version)
        if image is not None:
            if this.is_whole(version, image):
                return image, None
            break
    for version in versions():
        rest = _remains(this, version)
        if rest is None:
            continue
        if rest.share is None:
            failure = LoadError("decode", cut_off(None))
            continue
        if rest.share < ENOUGH:
            raise LoadError("decode", cut_off(rest.share))
        found, error = (image, None) if image is not None and rest.share == 1 else _attempt(load, rest.data, True)
        if found is not None:
            return found, damage(rest.share)
        failure = failure or error
    if image is not None:
        return image, damage(1)
    assert failure is not None
    raise failure


def _attempt(load: Load, data: bytes, cut_off: bool = False) -> tuple[Image.Image | None, Exception | None]:
    try:
        return load(data, cut_off=cut_off), None
    except (LoadError, MemoryError):
        raise
    except Exception as error:  # for damaged data decoders raise more than they document
        return None, error


def _remains(this: Format, data: bytes) -> Remains | None:
    try:
        return this.remains(data)
    except MemoryError:
        raise
    except Exception:  # for example a decoder's: then nothing is known
        return None
