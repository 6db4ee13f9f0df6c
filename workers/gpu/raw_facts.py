"""Where each kind of RAW file keeps its EXIF and XMP; read without touching what the sensor saw."""

import io
from contextlib import suppress
from typing import Any

from PIL import ExifTags, Image

from workers.gpu.description import from_xmp
from workers.gpu.metadata import exif_of, facts_of

_XMP_TAG = 700
# In a RAF file, where its JPEG begins and how long it is (big-endian), as LibRaw reads it.
_RAF_JPEG = 84
# The boxes of a CR3 file that are TIFF structures: the first directory, that of EXIF, that of the place.
_CR3_BOXES = ((b"CMT1", None), (b"CMT2", ExifTags.IFD.Exif), (b"CMT4", ExifTags.IFD.GPSInfo))
# The name of the box that holds XMP (XMP specification, part 3, 1.3.7).
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CR3_REACH = 1 << 20


def facts_of_raw(data: bytes, form: str) -> dict[str, Any]:
    """What EXIF and XMP tell, under the names they have in the payload; broken parts are left out."""
    exif, packet = Image.Exif(), None
    with suppress(Exception):
        exif = _exif(data, form)
    facts = facts_of(exif)
    with suppress(Exception):
        packet = _box(data, _XMP_BOX, 8) if form == "CR3" else exif.get(_XMP_TAG)
        facts |= from_xmp(packet)
    return facts


def _exif(data: bytes, form: str) -> Image.Exif:
    exif = Image.Exif()
    if form == "RAF":
        start, length = (int.from_bytes(data[at : at + 4], "big") for at in (_RAF_JPEG, _RAF_JPEG + 4))
        with Image.open(io.BytesIO(data[start : start + length]), formats=["JPEG"]) as image:
            return exif_of(image)
    if form == "CR3":
        for name, directory in _CR3_BOXES:
            box = _box(data, name, 4)
            if box is None:
                continue
            if directory is None:
                exif.load(box)
            else:
                own = Image.Exif()
                own.load(box)
                exif.get_ifd(directory).update(own)
        return exif
    # ORF and RW2 are TIFF structures under magic numbers of their own.
    exif.load((b"MM\0*" if data[:2] == b"MM" else b"II*\0") + data[4:] if form in ("ORF", "RW2") else data)
    return exif


def _box(data: bytes, name: bytes, before: int) -> bytes | None:
    """What is in the box of this name, whose length stands `before` bytes in front of it; None without one."""
    at = data.find(name, 0, _CR3_REACH)
    if at < before:
        return None
    length = int.from_bytes(data[at - before : at - before + 4], "big")
    return data[at + len(name) : at - before + length]
