"""Small pictures of files: WebP to be kept, and JPEG for pages and terminals."""

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pictures.picture import LoadError
from pictures.reading import read
from settings.extras import require

if TYPE_CHECKING:
    from PIL import Image

    from pictures.thumbnail_store import ThumbnailStore

# At most so many pixels each way: in a grid, and alone on a screen.
THUMBNAIL = 256
PREVIEW = 1440
# A header may promise more than the memory holds.
MAX_PIXELS = 300_000_000
MAX_BYTES = 500_000_000
QUALITY = 80
# libwebp's effort, 0 to 6: 0 takes a quarter of the time of 3, for a fifth more bytes.
METHOD = 0
THREADS = 4


def require_decoder() -> None:
    """Raise ServiceMissing with what to install where pictures cannot be decoded on this machine."""
    for package in ("PIL", "numpy", "defusedxml"):
        require(package, "pictures", f"Pictures on pages need {'Pillow' if package == 'PIL' else package}")


def webp(image: "Image.Image") -> bytes:
    """The picture as WebP, as it is kept."""
    out = io.BytesIO()
    image.save(out, "WEBP", quality=QUALITY, method=METHOD)
    return out.getvalue()


def thumbnail(row: Mapping[str, Any], size: int, store: "ThumbnailStore | None" = None) -> bytes | None:
    """A JPEG of the upright picture, at most `size` pixels wide and high, without metadata.

    `row` has the `uri` of a file, and its `sha256` where that is known: what `store` keeps of it is taken where it is
    large enough, which saves the decoding, and where the file cannot be read here. None where there is neither: the
    file is gone, it is no picture, or its URI is not file://. Raises ServiceMissing where Pillow is not installed.
    """
    require_decoder()
    from pictures.decode import small_picture

    sha256 = row.get("sha256")
    kept = store.get(sha256, THUMBNAIL) if store and sha256 else None
    image = None
    if kept is None or size > THUMBNAIL:
        with suppress(LoadError):
            image = small_picture(read(row["uri"], MAX_BYTES).data, MAX_PIXELS, size)
    if image is None and kept is not None:
        with suppress(LoadError):
            image = small_picture(kept, MAX_PIXELS, size)
    if image is None:
        return None
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return out.getvalue()


def thumbnails(
    rows: Sequence[Mapping[str, Any]], size: int, store: "ThumbnailStore | None" = None
) -> dict[str, bytes | None]:
    """URI to thumbnail, made by several threads; raises what `thumbnail` raises."""
    require_decoder()
    wanted = {row["uri"]: row for row in rows}
    with ThreadPoolExecutor(THREADS) as pool:
        made = pool.map(lambda row: thumbnail(row, size, store), wanted.values())
        return dict(zip(wanted, made, strict=True))
