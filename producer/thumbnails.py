"""Small JPEG pictures of the files that can be read here, for pages and terminals."""

import io
import os
import stat
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from producer.needed_packages import require

if TYPE_CHECKING:
    from PIL import Image

# Pillow reads more than these, but some of it by starting other programs (EPS runs Ghostscript).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000", "MPO")
RAW_EXTENSIONS = (b".dng", b".cr2", b".cr3", b".nef", b".arw", b".rw2", b".orf", b".raf")
# A header may promise more than the memory holds.
MAX_PIXELS = 300_000_000
QUALITY = 80
THREADS = 4


def require_pillow() -> None:
    """Raise ServiceMissing with what to install where Pillow is not there."""
    require("PIL", "Pictures on pages need Pillow, which is not installed: run `pip install 'darkroom[pictures]'`.")


def thumbnail(uri: str, size: int) -> bytes | None:
    """A JPEG of the upright picture, at most `size` pixels wide and high, without metadata.

    None where the file cannot be read here: it is gone, it is no picture, or its URI is not file://. Raises
    ServiceMissing where Pillow is not installed.
    """
    require_pillow()
    path = local_path(uri)
    if path is None:
        return None
    # Many RAW files are TIFFs as well, whose first picture is the size of a stamp.
    readers = (_raw_preview, _opened) if path.lower().endswith(RAW_EXTENSIONS) else (_opened,)
    for reader in readers:
        # Decoders raise far more over damaged data than they document.
        with suppress(Exception), reader(path) as image:
            out = io.BytesIO()
            _small(image, size).save(out, "JPEG", quality=QUALITY, optimize=True)
            return out.getvalue()
    return None


def thumbnails(uris: Iterable[str], size: int, done: Callable[[], None] | None = None) -> dict[str, bytes | None]:
    """URI to thumbnail, made by several threads; `done` is called after each one. Raises what `thumbnail` raises."""
    require_pillow()
    wanted = list(dict.fromkeys(uris))
    found: dict[str, bytes | None] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for uri, small in zip(wanted, pool.map(lambda each: thumbnail(each, size), wanted), strict=True):
            found[uri] = small
            if done is not None:
                done()
    return found


def local_path(uri: str) -> bytes | None:
    """The path that a file:// URI names on this machine, byte for byte; None for any other URI."""
    parts = urlsplit(uri)
    path = unquote_to_bytes(parts.path)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost") or b"\0" in path:
        return None
    return path


def _opened(path: bytes) -> "Image.Image":
    from PIL import Image

    with suppress(ImportError):
        from pillow_heif import register_heif_opener

        register_heif_opener()
    Image.init()
    warnings.filterwarnings("ignore", module=r"PIL\..*")
    # Opening a named pipe would wait for a writer for ever.
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise ValueError("not a regular file")
    return Image.open(os.fsdecode(path), formats=[name for name in FORMATS if name in Image.OPEN])


def _raw_preview(path: bytes) -> "Image.Image":
    """The JPEG that a camera puts into its RAW files."""
    import rawpy
    from PIL import Image

    with rawpy.imread(os.fsdecode(path)) as raw:
        preview = raw.extract_thumb()
    data: Any = preview.data
    return Image.open(io.BytesIO(data), formats=["JPEG"]) if isinstance(data, bytes) else Image.fromarray(data)


def _small(image: "Image.Image", size: int) -> "Image.Image":
    from PIL import ImageOps

    if image.width * image.height > MAX_PIXELS:
        raise ValueError("too many pixels")
    # libjpeg then scales while it decodes.
    image.draft("RGB", (size, size))
    image.thumbnail((size, size))
    return _on_white(ImageOps.exif_transpose(image))


def _on_white(image: "Image.Image") -> "Image.Image":
    from PIL import Image

    if image.mode.startswith("I;16"):
        image = image.convert("I").point(lambda value: value / 257)
    if not image.has_transparency_data:
        return image.convert("RGB")
    layer = image.convert("RGBA")
    paper = Image.new("RGBA", layer.size, "white")
    paper.alpha_composite(layer)
    return paper.convert("RGB")
