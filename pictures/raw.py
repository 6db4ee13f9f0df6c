"""RAW files: the preview that the camera put there, else a quick development; and where each kind keeps its facts."""

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image

from pictures.metadata import exif_of, facts_of, from_xmp, orientation_of
from pictures.picture import LoadError, Opened, check_size
from pictures.signature import CUT_OFF, ends_early

if TYPE_CHECKING:
    import rawpy

# LibRaw's `flip` (1: mirror left to right, 2: top to bottom, 4: swap both sides, in this order from the last) as the
# EXIF orientation; LibRaw itself makes the one from the other by the table "50132467".
_ORIENTATION = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}
_SIDEWAYS = (5, 6, 7, 8)


def open_raw(data: bytes, form: str, max_pixels: int, least: tuple[int, int]) -> Opened:
    """Open a RAW file; raises LoadError, or whatever LibRaw raises over damaged data.

    The largest preview stands for the picture when it is at least `least` pixels wide and high. Without one the
    sensor's data are developed, at half size where that is enough, which skips the costly interpolation.
    """
    try:
        import rawpy
    except ImportError:
        raise LoadError("decode", f"a {form} file needs the package rawpy, which is not installed here") from None

    cut_off = ends_early(data, form)
    with rawpy.RawPy() as raw:
        raw.open_buffer(io.BytesIO(data))
        sizes = raw.sizes
        check_size(sizes.raw_width, sizes.raw_height, max_pixels)
        width, height = sizes.width, sizes.height
        orientation = _ORIENTATION.get(sizes.flip, 1)
        preview = _preview(raw, data, cut_off, max_pixels, least)
        facts = facts_of_raw(data, form)
        turned = preview and Opened(preview, form, *_lying(preview, orientation, (width, height)), facts)
        if turned and turned.image.width >= least[0] and turned.image.height >= least[1]:
            return turned
        try:
            if cut_off:
                # LibRaw would develop whatever the memory holds in place of the missing end.
                raise LoadError("decode", CUT_OFF)
            # Half the pixels of each side come from one read of the mosaic each, without any of them being guessed.
            half = min(width // 2, height // 2) >= max(least)
            pixels = raw.postprocess(
                half_size=half, use_camera_wb=True, output_bps=8, gamma=(2.4, 12.92), user_flip=0,
                demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
            )  # fmt: skip
        except (LoadError, rawpy.LibRawError):
            if turned:
                return turned
            raise
    return Opened(Image.fromarray(pixels), form, width, height, orientation, facts)


def _preview(
    raw: "rawpy.RawPy", data: bytes, cut_off: bool, max_pixels: int, least: tuple[int, int]
) -> Image.Image | None:
    """The largest preview, decoded to no more than is needed; None where there is none that can be decoded."""
    try:
        thumb = raw.extract_thumb()
        if not isinstance(thumb.data, bytes):
            return Image.fromarray(thumb.data)
        if cut_off and thumb.data[-len(thumb.data) // 4 :] not in data:
            # The file ends within the preview: LibRaw hands out whatever the memory held in place of the rest.
            return None
        image = Image.open(io.BytesIO(thumb.data), formats=["JPEG"])
        check_size(*image.size, max_pixels)
        image.draft(None, least)
        image.load()
    except Exception:  # a damaged preview is no loss while the sensor's data are there
        return None
    return image


def _lying(preview: Image.Image, orientation: int, size: tuple[int, int]) -> tuple[int, int, int]:
    """The sensor's width and height as they lie in the preview, and the turn that the preview needs.

    It may lie as the sensor does, which needs `orientation`, or stand upright already; a shape that fits neither is
    taken to lie.
    """
    # LibRaw writes the turn of the whole file into a preview that has none of its own.
    turn = orientation_of(exif_of(preview))
    turn = orientation if turn == 1 else turn
    width, height = size
    if width != height and preview.width != preview.height:
        upright_is_wide = (width > height) != (orientation in _SIDEWAYS)
        stands_wide = (preview.width > preview.height) != (turn in _SIDEWAYS)
        turn = turn if stands_wide == upright_is_wide else 1
    if (orientation in _SIDEWAYS) != (turn in _SIDEWAYS):
        width, height = height, width
    return width, height, turn


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
