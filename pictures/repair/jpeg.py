"""JPEG: leaves out what is broken beside the picture, and measures how much of a picture is there."""

import io
import random
import re
from collections.abc import Iterator

import numpy as np
from PIL import Image

from pictures.codecs.jpeg_segments import BESIDE, EOI, SOS, Segment, segments_of
from pictures.picture import Pixels
from pictures.repair.remains import Remains, share_alike

_END, _SCAN = b"\xff\xd9", b"\xff\xda"
_SOF = {0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCA}
# What the models or the payload want of it: EXIF and XMP, the ICC profile, Photoshop's IPTC, Adobe's kind of colours.
_WANTED = {0xE1: (b"Exif\0\0", b"http://ns.adobe.com/xap/"), 0xE2: (b"ICC_PROFILE\0",), 0xED: (b"Photoshop 3.0\0",),
           0xEE: (b"Adobe",)}  # fmt: skip
_ADOBE = 0xEE
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
# So many zeros are no data of a scan but a part of the file that never arrived.
_HOLE = re.compile(rb"\0{16,}\Z")
_GREY = 128
_NOISE = bytes(random.Random(0).randrange(1, 255) for _ in range(64))


def is_whole(data: bytes, image: Image.Image) -> bool:
    """True unless a JPEG that could be decoded lacks its end, or has nothing but an end behind missing pixels."""
    if not has_end(data):
        return False
    # A decoder makes missing pixels grey: so a corner of another colour was there. The last pixel nearly always says so
    # already, in a tenth of the time.
    right, bottom = image.size
    last = image.getpixel((right - 1, bottom - 1))
    if any(band != _GREY for band in (last[:3] if isinstance(last, tuple) else (last,))):
        return True
    corner = image.crop((max(0, right - 4), max(0, bottom - 4), right, bottom))
    extrema = corner.getextrema()
    pairs = extrema if isinstance(extrema[0], tuple) else (extrema,)
    if any(pair != (_GREY, _GREY) for pair in pairs[:3]):
        return True
    rest = remains(data)
    return rest is None or rest.share in (None, 1)


def has_end(data: bytes) -> bool:
    """True where an end stands behind the last scan; what some programs add behind it does not matter."""
    if data.endswith(_END) or data.rfind(_END) > data.rfind(_SCAN) != -1:
        return True
    return any(segment.marker == EOI for segment in segments_of(data))


def without_broken(data: bytes) -> Iterator[bytes]:
    """The same pixels with only what is wanted beside them; then with nothing but what their colours need."""
    segments = list(segments_of(data))

    def is_wanted(segment: Segment) -> bool:
        begin = segment.start + 4
        return any(data.startswith(name, begin) for name in _WANTED.get(segment.marker, ()))

    for markers in (_WANTED.keys(), {_ADOBE}):
        kept = [
            segment
            for segment in segments
            if segment.marker not in BESIDE or (segment.marker in markers and is_wanted(segment))
        ]
        yield b"\xff\xd8" + b"".join(data[segment.start : segment.end] for segment in kept)


def remains(data: bytes) -> Remains | None:
    """What is there of a JPEG whose last scan may end early; None if it has no scan, or an end behind odd ones.

    The missing end is filled up in two ways, with nothing and with noise: where the pixels differ, there were none.
    """
    every = list(segments_of(data))
    segments = [segment for segment in every if segment.marker != EOI]
    scans = [data[segment.start : segment.start + 20] for segment in segments if segment.marker == SOS]
    if not scans:
        return None
    body = _HOLE.sub(b"", data[: segments[-1].end]).rstrip(b"\xff")
    one = body + _END
    *before, last = scans
    if segments[-1].marker != SOS:  # between two scans
        before, last = scans, b""
    frame = next((data[each.start : each.end] for each in segments if each.marker in _SOF), b"")
    if _is_covered(frame, before):
        return Remains(one, 1.0)
    if not last or not _is_covered(frame, scans):
        return Remains(one, None) if len(every) == len(segments) else None
    restart = len(_RESTART.findall(body, segments[-1].start)) % 8
    other = body + _NOISE + bytes([0xFF, 0xD0 + restart]) + _NOISE + _END
    is_reduced = len(scans) == 1
    share = share_alike(_pixels(one, is_reduced), _pixels(other, is_reduced), _block(frame, is_reduced))
    return Remains(one, share)


def _is_covered(frame: bytes, scans: list[bytes]) -> bool:
    """True if these scans bring every coefficient of every colour, if perhaps not yet in its full precision."""
    components = frame[10::3][: frame[9]] if len(frame) > 9 else b""
    lacking = {(component, place) for component in components for place in range(64)}
    for scan in scans:
        count = scan[4] if len(scan) > 4 else 0
        first, last, precision = scan[5 + 2 * count : 8 + 2 * count].ljust(3, b"\0")
        if precision >> 4 == 0:
            brought = scan[5 : 5 + 2 * count : 2]
            lacking -= {(component, place) for component in brought for place in range(first, last + 1)}
    return not lacking


def _pixels(data: bytes, is_reduced: bool) -> Pixels:
    """The pixels as they are in the file; reduced to one for each block of 8 x 8, which is quick."""
    with Image.open(io.BytesIO(data), formats=["JPEG"]) as image:
        if is_reduced:
            image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
        return np.asarray(image).reshape(image.height, image.width, -1)


def _block(frame: bytes, is_reduced: bool) -> tuple[int, int]:
    """The width and height in pixels of what a scan brings at a time."""
    side = 1 if is_reduced else 8
    sampling = frame[11::3][: frame[9]]
    # The scan of one colour alone goes over its blocks one by one.
    if len(sampling) == 1:
        return side, side
    return side * (max(sampling) >> 4), side * max(each & 15 for each in sampling)
