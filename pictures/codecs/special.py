"""Opens what Pillow does not open, or not right, by the reader of its format."""

from PIL import Image

from pictures.codecs.bmp import open_bmp
from pictures.codecs.heif import open_avif, open_heif
from pictures.codecs.jpeg import open_jpeg
from pictures.codecs.jpeg_xl import open_jpeg_xl
from pictures.codecs.png import open_png
from pictures.codecs.tiff import open_tiff
from pictures.picture import Reserve

_READERS = {
    "TIFF": open_tiff,
    "JPEG": open_jpeg,
    "PNG": open_png,
    "BMP": open_bmp,
    "AVIF": open_avif,
    "HEIF": open_heif,
    "JXL": open_jpeg_xl,
}


def open_special(data: bytes, format_name: str | None, max_pixels: int, reserve: Reserve) -> Image.Image | None:
    """The picture of bytes of this format, None if Pillow reads it right.

    Raises LoadError, or what the reader raises for damaged data. Its pixels are checked and reserved before memory is
    taken for them.
    """
    read = _READERS.get(format_name or "")
    return read(data, max_pixels, reserve) if read else None
