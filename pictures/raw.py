"""RAW files: the camera's preview, or else a fast development of the sensor data; and the facts of each format."""

import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import ExifTags, Image

from pictures.metadata import exif_of, facts_of, from_xmp, orientation_of
from pictures.picture import LoadError, OpenedPicture, Reserve, check_size, no_limit
from pictures.signature import CUT_OFF, ends_early

if TYPE_CHECKING:
    import rawpy

# LibRaw's `flip` -> EXIF orientation. The bits of `flip` are 4: transpose, then 2: top to bottom, then 1: left to
# right; LibRaw itself converts in the other direction by the table "50132467".
_ORIENTATION = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}
_SIDEWAYS = (5, 6, 7, 8)


def open_raw(
    data: bytes, format_name: str, max_pixels: int, min_size: tuple[int, int], reserve: Reserve = no_limit
) -> OpenedPicture:
    """Open a RAW file; raises LoadError, or what LibRaw raises for damaged data.

    The largest preview is used if it is at least as large as `min_size`. Otherwise the sensor data are developed, at
    half size if that is enough, which needs no costly interpolation.
    """
    try:
        import rawpy
    except ImportError:
        raise LoadError(
            "decode", f"a {format_name} file needs the package rawpy, which is not installed here"
        ) from None

    cut_off = ends_early(data, format_name)
    with rawpy.RawPy() as raw:
        raw.open_buffer(io.BytesIO(data))
        sizes = raw.sizes
        check_size(sizes.raw_width, sizes.raw_height, max_pixels)
        reserve(sizes.raw_width * sizes.raw_height)
        width, height = sizes.width, sizes.height
        orientation = _ORIENTATION.get(sizes.flip, 1)
        preview = _preview(raw, data, cut_off, max_pixels, min_size)
        facts = facts_of_raw(data, format_name)
        opened_preview = None
        if preview is not None:
            geometry = _preview_geometry(preview, orientation, (width, height))
            opened_preview = OpenedPicture(preview, format_name, *geometry, facts)
            if preview.width >= min_size[0] and preview.height >= min_size[1]:
                return opened_preview
        try:
            if cut_off:
                # LibRaw would develop random memory in place of the missing end.
                raise LoadError("decode", CUT_OFF)
            # At half size each pixel is one square of the mosaic, so nothing is interpolated.
            half = min(width // 2, height // 2) >= max(min_size)
            pixels = raw.postprocess(
                half_size=half, use_camera_wb=True, output_bps=8, gamma=(2.4, 12.92), user_flip=0,
                demosaic_algorithm=rawpy.DemosaicAlgorithm.LINEAR,
            )  # fmt: skip
        except (LoadError, rawpy.LibRawError):
            if opened_preview:
                return opened_preview
            raise
    return OpenedPicture(Image.fromarray(pixels), format_name, width, height, orientation, facts)


def _preview(
    raw: "rawpy.RawPy", data: bytes, cut_off: bool, max_pixels: int, min_size: tuple[int, int]
) -> Image.Image | None:
    """The largest preview, decoded no larger than needed; None if there is none that can be decoded."""
    try:
        thumb = raw.extract_thumb()
        if not isinstance(thumb.data, bytes):
            return Image.fromarray(thumb.data)
        if cut_off and thumb.data[-len(thumb.data) // 4 :] not in data:
            # The file ends inside the preview: LibRaw returns random memory in place of the rest.
            return None
        image = Image.open(io.BytesIO(thumb.data), formats=["JPEG"])
        check_size(*image.size, max_pixels)
        image.draft(None, min_size)
        image.load()
    except Exception:  # without a preview the sensor data are developed
        return None
    return image


def _preview_geometry(preview: Image.Image, orientation: int, size: tuple[int, int]) -> tuple[int, int, int]:
    """The width and the height of the sensor, in the direction of the preview, and the orientation of the preview.

    A preview either has the orientation of the sensor data or is upright already. Its shape decides; if that says
    nothing, it has the orientation of the sensor data.
    """
    # LibRaw writes the orientation of the file into a preview that has none.
    preview_orientation = orientation_of(exif_of(preview))
    if preview_orientation == 1:
        preview_orientation = orientation
    width, height = size
    if width != height and preview.width != preview.height:
        upright_is_wide = (width > height) != (orientation in _SIDEWAYS)
        preview_is_wide = (preview.width > preview.height) != (preview_orientation in _SIDEWAYS)
        if preview_is_wide != upright_is_wide:
            preview_orientation = 1
    if (orientation in _SIDEWAYS) != (preview_orientation in _SIDEWAYS):
        width, height = height, width
    return width, height, preview_orientation


_XMP_TAG = 700
# The position in a RAF file of the offset and the length of its JPEG (big-endian), as LibRaw reads it.
_RAF_JPEG = 84
# The boxes of a CR3 file that are TIFF structures: the main directory, the EXIF directory, the GPS directory.
_CR3_BOXES = ((b"CMT1", None), (b"CMT2", ExifTags.IFD.Exif), (b"CMT4", ExifTags.IFD.GPSInfo))
# The id of the box that contains XMP (XMP specification, part 3, 1.3.7).
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_CR3_HEADER_BYTES = 1 << 20


def facts_of_raw(data: bytes, format_name: str) -> dict[str, Any]:
    """The facts in EXIF and XMP, under their names in the payload; broken parts are left out."""
    exif, packet = Image.Exif(), None
    with suppress(Exception):
        exif = _exif(data, format_name)
    facts = facts_of(exif)
    with suppress(Exception):
        packet = _box(data, _XMP_BOX, 8) if format_name == "CR3" else exif.get(_XMP_TAG)
        facts |= from_xmp(packet)
    return facts


def _exif(data: bytes, format_name: str) -> Image.Exif:
    exif = Image.Exif()
    if format_name == "RAF":
        start, length = (int.from_bytes(data[at : at + 4], "big") for at in (_RAF_JPEG, _RAF_JPEG + 4))
        with Image.open(io.BytesIO(data[start : start + length]), formats=["JPEG"]) as image:
            return exif_of(image)
    if format_name == "CR3":
        for name, directory in _CR3_BOXES:
            box = _box(data, name, 4)
            if box is None:
                continue
            if directory is None:
                exif.load(box)
            else:
                part = Image.Exif()
                part.load(box)
                exif.get_ifd(directory).update(part)
        return exif
    # ORF and RW2 are TIFF structures with other magic numbers.
    exif.load((b"MM\0*" if data[:2] == b"MM" else b"II*\0") + data[4:] if format_name in ("ORF", "RW2") else data)
    return exif


def _box(data: bytes, name: bytes, name_offset: int) -> bytes | None:
    """The content of the box whose name is `name_offset` bytes after its start; None if there is none."""
    start = data.find(name, 0, _CR3_HEADER_BYTES) - name_offset
    if start < 0:
        return None
    length = int.from_bytes(data[start : start + 4], "big")
    return data[start + name_offset + len(name) : start + length]
