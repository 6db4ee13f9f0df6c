"""EXIF: its tags wherever they stand, its texts and its numbers."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

from pictures.facts.text import line

_IFD = ExifTags.IFD
# Byte 0 to 7 of a text may say how it is encoded (EXIF 2.32, 4.6.5, UserComment); some cameras write it elsewhere too.
_CODES = ("ASCII\0\0\0", "UNICODE\0", "JIS\0\0\0\0\0")


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened picture, as much as can be read; empty if there is none."""
    for _ in range(2):
        # If Pillow fails on a part, a second call returns the rest.
        with suppress(Exception):
            return image.getexif()
    return Image.Exif()


def exif_from(block: bytes) -> Image.Exif:
    """The EXIF in a block of bytes, a TIFF structure; empty if it cannot be read."""
    exif = Image.Exif()
    with suppress(Exception):
        exif.load(block)
    return exif


def orientation_of(exif: Image.Exif) -> int:
    """The EXIF orientation, 1 (upright) if there is none or it is invalid."""
    try:
        value = exif.get(ExifTags.Base.Orientation, 1)
    except Exception:  # broken EXIF may raise anything
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


class Tags:
    """The tags of EXIF: those of the picture and those of the photograph are one, for programs mix them up."""

    def __init__(self, exif: Image.Exif) -> None:
        self._exif = exif

    def get(self, tag: int) -> Any:
        """The value of a tag in the Exif directory, or else in the first one; None for one that cannot be read."""
        # Pillow decodes a tag when it is read, so each may fail alone.
        for directory in (lambda: self._exif.get_ifd(_IFD.Exif), lambda: self._exif):
            with suppress(Exception):
                value = directory().get(tag)
                if value is not None and value not in ("", b""):
                    return value
        return None

    def text(self, tag: int, max_length: int = 200) -> str:
        """The text of a tag, "" for none."""
        return line(text_of(self.get(tag)), max_length)

    def number(self, tag: int, maximum: float) -> float | None:
        """The number of a tag, above 0 and up to `maximum`."""
        with suppress(Exception):
            value = self.get(tag)
            return number_in_range(value[0] if isinstance(value, tuple) else value, maximum)
        return None

    def block(self) -> tuple[bytes, str]:
        """The bytes that offsets of EXIF point into, and their order as `struct` writes it."""
        file = self._exif.fp
        file.seek(0)
        return file.read(), self._exif.endian or "<"

    def place(self) -> Mapping[int, Any]:
        """The tags of the GPS directory."""
        with suppress(Exception):
            return self._exif.get_ifd(_IFD.GPSInfo)
        return {}


def text_of(value: object) -> str:
    """A value as text up to its NUL: in UTF-8, as nearly everybody writes it, or else in cp1252."""
    if isinstance(value, str):
        # Pillow has taken the bytes for Latin-1.
        with suppress(UnicodeEncodeError):
            value = value.encode("latin-1")
    if isinstance(value, bytes):
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("cp1252", "replace")
    else:
        text = "" if value is None else str(value)
    for code in _CODES:
        text = text.removeprefix(code)
    return text.partition("\0")[0]


def utf16_text(value: object) -> str:
    """A text of the tags that Windows writes: bytes in UTF-16."""
    if isinstance(value, tuple):
        value = bytes(value)
    return value.decode("utf-16-le", "replace").partition("\0")[0] if isinstance(value, bytes) else ""


def number_in_range(value: Any, maximum: float) -> float | None:
    """A number above 0 and up to `maximum`, rounded to six digits; None for any other."""
    number = float(value)
    return float(f"{number:.6g}") if 0 < number <= maximum else None
