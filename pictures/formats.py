"""The formats that Darkroom reads: their file extensions, their names in Pillow, and the RAW formats."""

import os

RAW_EXTENSIONS = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".rw2", ".orf", ".raf"})
PICTURE_EXTENSIONS = RAW_EXTENSIONS | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif")
}
# Pillow reads more formats, but some by starting other programs (Ghostscript for EPS), and a .jpg may contain any of
# them.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000")
RAW_KINDS = frozenset({"DNG", "CR2", "CR3", "NEF", "ARW", "RW2", "ORF", "RAF", "RAW"})


def has_picture_extension(name: bytes) -> bool:
    """True if the name or path of a file has an extension of a picture."""
    return os.path.splitext(name)[1].lower().decode("ascii", "replace") in PICTURE_EXTENSIONS
