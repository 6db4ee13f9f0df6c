"""From a URI to pixels: one read for hash, EXIF and both models, a bounded and reduced decode, upright RGB."""

import hashlib
import io
import os
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import numpy as np
from PIL import Image, UnidentifiedImageError

from workers.gpu.metadata import facts_of, orientation_of
from workers.gpu.picture import Content, LoadError, Picture
from workers.gpu.preprocessing import Target, fit

try:
    from pillow_heif import register_heif_opener

    register_heif_opener()
except ImportError:  # HEIC is then an unknown content like any other
    pass

# Pillow's own limit is a warning at one size and an error at twice it; ingest.max_pixels is checked instead.
Image.MAX_IMAGE_PIXELS = None
warnings.filterwarnings("ignore", module=r"PIL\..*")

# Pillow reads more than this, but some of it by starting other programs (EPS runs Ghostscript), and a file of any
# content may be called .jpg.
Image.init()
_FORMATS: list[str] = [
    name for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000") if name in Image.OPEN
]

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)

# The turn that makes a picture upright, by its EXIF orientation (EXIF 2.32, 4.6.4 A).
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = {_UPRIGHT[number] for number in (5, 6, 7, 8)}


def local_path(uri: str) -> Path:
    """The path of a file:// URI; raises LoadError for another scheme."""
    parts = urlsplit(uri)
    if parts.scheme != "file" or parts.netloc not in ("", "localhost"):
        raise LoadError("read", f"this worker reads file:// only, not {parts.scheme}://")
    path = unquote_to_bytes(parts.path)
    if b"\0" in path:
        raise LoadError("read", "no file can have this name: it holds a zero byte")
    return Path(os.fsdecode(path))


def read(uri: str, max_bytes: int) -> Content:
    """Read a file once; raises LoadError with the reason when it cannot be."""
    path = local_path(uri)
    try:
        # O_NONBLOCK: opening a named pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    except FileNotFoundError:
        raise LoadError("read", "the file is gone") from None
    except PermissionError:
        raise LoadError("read", "no permission to read it") from None
    except OSError as error:
        raise LoadError("read", f"cannot be opened: {error.strerror}") from None
    # open() itself refuses the descriptor of a directory, so the kind of file is told before it.
    before = os.fstat(descriptor)
    for test, kind in _KINDS:
        if test(before.st_mode):
            os.close(descriptor)
            raise LoadError("read", f"not a regular file but {kind}")
    with open(descriptor, "rb", buffering=0) as stream:
        if before.st_size == 0:
            raise LoadError("read", "the file is empty")
        if before.st_size > max_bytes:
            raise LoadError("read", f"{before.st_size:,} bytes are more than ingest.max_bytes = {max_bytes:,}")
        try:
            data = stream.read(before.st_size + 1) or b""
            while len(data) < before.st_size and (more := stream.read(before.st_size + 1 - len(data))):
                data += more
        except OSError as error:
            raise LoadError("read", f"cannot be read: {error.strerror}") from None
        except MemoryError:
            raise LoadError("read", f"not enough memory to read its {before.st_size:,} bytes") from None
        after = os.fstat(descriptor)
    if len(data) != before.st_size or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise LoadError("read", "the file changed while it was read; ingest it again when it is at rest")
    return Content(data, hashlib.sha256(data).hexdigest(), before.st_mtime_ns)


def decode(data: bytes, max_pixels: int, clip: Target, blip: Target | None) -> Picture:
    """Decode bytes for the models; raises LoadError with the reason when they are no sound picture.

    The format is told by the content, never by the name. JPEGs are scaled while decoding (DCT scaling) down to the
    least size that no target has to enlarge.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            return _decode_opened(image, max_pixels, [target for target in (clip, blip) if target], blip is not None)
    except LoadError:
        raise
    except UnidentifiedImageError:
        raise LoadError("decode", "its content is not a picture format that Darkroom reads") from None
    except MemoryError:
        raise LoadError("decode", "not enough memory to decode it") from None
    except Exception as error:  # decoders raise far more over damaged data than they document, zlib.error for one
        raise LoadError("decode", _reason(error)) from None


def _decode_opened(image: Image.Image, max_pixels: int, targets: Sequence[Target], with_blip: bool) -> Picture:
    width, height = image.size
    if width * height > max_pixels:
        raise LoadError(
            "decode", f"{width} x {height} = {width * height:,} pixels are more than ingest.max_pixels = {max_pixels:,}"
        )
    form = "JPEG" if image.format == "MPO" else image.format or "unknown"
    if form == "JPEG":
        image.draft(None, (max(target.least[0] for target in targets), max(target.least[1] for target in targets)))
    image.load()
    facts = facts_of(image)
    turn = _UPRIGHT.get(orientation_of(image))
    upright = _rgb(image)
    if turn is not None:
        upright = upright.transpose(turn)
        if turn in _SIDEWAYS:
            width, height = height, width
    pixels = [fit(upright, target) for target in targets]
    return Picture(form, width, height, pixels[0], pixels[1] if with_blip else None, facts)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        paper.alpha_composite(layer)
        return paper.convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: np.ndarray) -> np.ndarray:
    """Grey values of any depth as uint8: 16-bit pictures keep their upper byte instead of being clipped to white."""
    numbers = np.nan_to_num(values.astype(np.float32))
    top = float(numbers.max(initial=0))
    if values.dtype.kind == "u":
        # The depth is known to be 16 bits, so a dark picture stays dark.
        numbers /= 257
    elif values.dtype.kind == "f" and 0 < top <= 1:
        numbers *= 255
    elif top > 255:
        numbers /= 257 if top <= 65535 else top / 255
    return np.clip(numbers, 0, 255).astype(np.uint8)


def _reason(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "the picture is cut off: its data end too early"
    return f"damaged or unsupported picture data ({text[:200]})"
