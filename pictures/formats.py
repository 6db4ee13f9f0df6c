"""The formats that Darkroom reads: their file extensions, their names in Pillow, and the RAW formats."""

import os

# What LibRaw reads, of every maker that it knows.
RAW_EXTENSIONS = frozenset({
    *(".3fr", ".arw", ".bay", ".cap", ".cr2", ".cr3", ".crw", ".cs1", ".dcr", ".dcs", ".dng", ".drf", ".erf"),
    *(".fff", ".iiq", ".k25", ".kdc", ".mdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".pxn"),
    *(".raf", ".raw", ".rdc", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".sti", ".x3f"),
})  # fmt: skip
PICTURE_EXTENSIONS = RAW_EXTENSIONS | {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".apng", ".webp", ".gif", ".tif", ".tiff", ".bmp"),
    *(".avif", ".avifs", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc", ".jxl"),
}
# For people: that of every camera would hide the others.
EXTENSIONS_IN_WORDS = f"{', '.join(sorted(PICTURE_EXTENSIONS - RAW_EXTENSIONS))} and those of RAW files"
# Pillow reads more formats, but some by starting other programs (Ghostscript for EPS), and a .jpg may contain any of
# them.
PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "HEIF", "JPEG2000")
# RAW: built like a TIFF, of a maker who is none of these.
RAW_KINDS = frozenset({"DNG", "CR2", "CR3", "CRW", "NEF", "ARW", "RW2", "ORF", "RAF", "MRW", "X3F", "RAW"})


def has_picture_extension(name: bytes) -> bool:
    """True if the name or path of a file has an extension of a picture."""
    return os.path.splitext(name)[1].lower().decode("ascii", "replace") in PICTURE_EXTENSIONS
