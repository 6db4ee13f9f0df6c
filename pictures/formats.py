"""The formats that Darkroom reads: their file extensions, their names in Pillow, and which of them are RAW files."""

import os

RAW_EXTENSIONS = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".rw2", ".orf", ".raf"})
PICTURE_EXTENSIONS = RAW_EXTENSIONS | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".heic", ".heif")
}
# Pillow reads more than this, but some of it by starting other programs (EPS runs Ghostscript), and a file of any
# content may be called .jpg.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000")
RAW_KINDS = frozenset({"DNG", "CR2", "CR3", "NEF", "ARW", "RW2", "ORF", "RAF", "RAW"})


def has_picture_extension(name: bytes) -> bool:
    """True for the name or path of a file that is taken for a picture."""
    return os.path.splitext(name)[1].lower().decode("ascii", "replace") in PICTURE_EXTENSIONS
