"""Small JPEG pictures of the files that can be read here, for pages and terminals."""

import io
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from pictures.picture import LoadError
from pictures.reading import read
from settings.extras import require

# A header may promise more than the memory holds.
MAX_PIXELS = 300_000_000
MAX_BYTES = 500_000_000
QUALITY = 80
THREADS = 4


def require_decoder() -> None:
    """Raise ServiceMissing with what to install where pictures cannot be decoded on this machine."""
    for package in ("PIL", "numpy", "defusedxml"):
        require(package, "pictures", f"Pictures on pages need {'Pillow' if package == 'PIL' else package}")


def thumbnail(uri: str, size: int) -> bytes | None:
    """A JPEG of the upright picture, at most `size` pixels wide and high, without metadata.

    None where the file cannot be read here: it is gone, it is no picture, or its URI is not file://. Raises
    ServiceMissing where Pillow is not installed.
    """
    require_decoder()
    from pictures.decode import small_picture

    try:
        image = small_picture(read(uri, MAX_BYTES).data, MAX_PIXELS, size)
    except LoadError:
        return None
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def thumbnails(uris: Iterable[str], size: int, done: Callable[[], None] | None = None) -> dict[str, bytes | None]:
    """URI to thumbnail, made by several threads; `done` is called after each one. Raises what `thumbnail` raises."""
    require_decoder()
    wanted = list(dict.fromkeys(uris))
    found: dict[str, bytes | None] = {}
    with ThreadPoolExecutor(THREADS) as pool:
        for uri, small in zip(wanted, pool.map(lambda each: thumbnail(each, size), wanted), strict=True):
            found[uri] = small
            if done is not None:
                done()
    return found
