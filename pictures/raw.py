"""RAW files: the camera's preview, or else a fast development of the sensor data."""

import io
from contextlib import suppress
from typing import TYPE_CHECKING

from PIL import Image

from pictures.facts.blocks import cr3_box
from pictures.facts.exif import exif_of, orientation_of
from pictures.picture import LoadError, OpenedPicture, Pixels, Reserve, check_size, no_limit
from pictures.signature import CUT_OFF, ends_early

if TYPE_CHECKING:
    import rawpy

# LibRaw's `flip` -> EXIF orientation. The bits of `flip` are 4: transpose, then 2: top to bottom, then 1: left to
# right; LibRaw itself converts in the other direction by the table "50132467".
_ORIENTATION = {0: 1, 1: 2, 3: 3, 2: 4, 4: 5, 6: 6, 7: 7, 5: 8}
_SIDEWAYS = (5, 6, 7, 8)
# The position in a RAF file of the offset of its table of sizes (big-endian), and the tag of the size in it.
_RAF_TABLE, _RAF_SIZE = 92, 0x121


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
        width, height = picture_size(sizes, data, format_name)
        orientation = _ORIENTATION.get(sizes.flip, 1)
        preview = _preview(raw, data, cut_off, max_pixels, min_size)
        opened_preview = None
        if preview is not None:
            geometry = _preview_geometry(preview, orientation, (width, height))
            opened_preview = OpenedPicture(preview, format_name, *geometry)
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
    return OpenedPicture(_without_border(pixels, sizes), format_name, width, height, orientation)


def _has_crop(sizes: "rawpy.ImageSizes") -> bool:
    return 0 < sizes.crop_width <= sizes.width and 0 < sizes.crop_height <= sizes.height


def picture_size(sizes: "rawpy.ImageSizes", data: bytes, format_name: str) -> tuple[int, int]:
    """The width and the height of the picture, where `sizes` tells of the sensor with its border.

    Sensors of Fujifilm whose rows run at 45 degrees are a square to LibRaw, wider than the picture is high.
    """
    if format_name == "RAF" and (table := _raf_size(data)):
        across, down = table
        if (sizes.width, sizes.height) == (across // 2 + down, across // 2 + down - 1):
            return across, 2 * down
    return (sizes.crop_width, sizes.crop_height) if _has_crop(sizes) else (sizes.width, sizes.height)


def _raf_size(data: bytes) -> tuple[int, int] | None:
    """The width and the height that the table of a RAF file tells."""
    at = int.from_bytes(data[_RAF_TABLE : _RAF_TABLE + 4], "big")
    entries, at = int.from_bytes(data[at : at + 4], "big"), at + 4
    for _ in range(min(entries, 255)):
        tag, length = (int.from_bytes(data[start : start + 2], "big") for start in (at, at + 2))
        if tag == _RAF_SIZE and at + 8 <= len(data):
            height, width = (int.from_bytes(data[start : start + 2], "big") for start in (at + 4, at + 6))
            return width, height
        at += 4 + length
    return None


def _without_border(pixels: Pixels, sizes: "rawpy.ImageSizes") -> Image.Image:
    """What was developed, without what the camera cuts off at the edges of its sensor."""
    image = Image.fromarray(pixels)
    left, top = sizes.crop_left_margin - sizes.left_margin, sizes.crop_top_margin - sizes.top_margin
    if not _has_crop(sizes) or not (
        0 <= left <= sizes.width - sizes.crop_width and 0 <= top <= sizes.height - sizes.crop_height
    ):
        return image
    x, y = image.width / sizes.width, image.height / sizes.height
    return image.crop((
        round(left * x), round(top * y), round((left + sizes.crop_width) * x), round((top + sizes.crop_height) * y)
    ))  # fmt: skip


def _preview(
    raw: "rawpy.RawPy", data: bytes, cut_off: bool, max_pixels: int, min_size: tuple[int, int]
) -> Image.Image | None:
    """The largest preview, decoded no larger than needed; None if there is none that can be decoded.

    A CR3 has a smaller one near its beginning too, which LibRaw does not look for when the end of the file is missing.
    """
    with suppress(Exception):  # without a preview the sensor data are developed
        thumb = raw.extract_thumb()
        if not isinstance(thumb.data, bytes):
            return Image.fromarray(thumb.data)
        # Where the file ends inside the preview, LibRaw returns random memory in place of the rest.
        if not cut_off or thumb.data[-len(thumb.data) // 4 :] in data:
            return _opened_preview(thumb.data, max_pixels, min_size)
    with suppress(Exception):
        small = cr3_box(data, b"PRVW", 4)
        if small is not None:
            return _opened_preview(small[small.index(b"\xff\xd8\xff") :], max_pixels, min_size)
    return None


def _opened_preview(jpeg: bytes, max_pixels: int, min_size: tuple[int, int]) -> Image.Image:
    image = Image.open(io.BytesIO(jpeg), formats=["JPEG"])
    check_size(*image.size, max_pixels)
    image.draft(None, min_size)
    image.load()
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
