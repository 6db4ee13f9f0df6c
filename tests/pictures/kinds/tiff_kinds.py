"""The kinds of TIFF: those of the standard and its supplements, and those that programs write beside it."""

import io
from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import Any, Literal

import imagecodecs
import numpy as np
from PIL import Image, ImageCms

from tests.pictures.kinds.kind import SIDE, Kind, Values, opacity, rounded, scene, shown
from tests.pictures.kinds.tiff_file import (
    DEFLATE,
    LZMA,
    LZW,
    OLD_DEFLATE,
    PACKBITS,
    UNPACKED,
    WEBP,
    ZSTD,
    Samples,
    Tiff,
)

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
DEPTHS = [
    *(("u", bits) for bits in (1, 2, 4, 8, 10, 12, 14, 16, 24, 32, 64)),
    *(("i", bits) for bits in (8, 16, 32, 64)),
    *(("f", bits) for bits in (16, 32, 64)),
]
LAYOUTS: dict[str, dict[str, Any]] = {
    "one strip": {},
    "strips": {"rows": 10},
    "tiles": {"tiled": True, "rows": 48},
    "planes": {"planar": True, "rows": 20},
}
ORDERS: dict[str, Literal["<", ">"]] = {"little": "<", "big": ">"}
EIGHT, SIXTEEN, THIRTY_TWO, FLOAT = ("u", 8), ("u", 16), ("u", 32), ("f", 32)


def numbers(values: Values, letter: str, bits: int) -> Samples:
    """Values from 0 to 1 as the samples that stand in the file."""
    if letter == "f":
        return values.astype(f"f{bits // 8}")
    if bits <= 32:
        exact = np.round(values * (2**bits - 1)).astype(np.int64)
    else:
        # Python's own numbers: 64 bits are more than a float holds.
        exact = np.round(rounded(values, bits) * (2.0**32 - 1)).astype(object) * (2**bits - 1) // (2**32 - 1)
    return (exact - (1 << (bits - 1) if letter == "i" else 0)).astype("i8" if letter == "i" else "u8")


def seen_values(values: Values, letter: str, bits: int) -> Values:
    return values if letter == "f" else rounded(values, bits)


def all_kinds() -> Iterator[Kind]:
    """Every kind of TIFF."""
    yield from depths()
    yield from packings()
    yield from transparent()
    yield from palettes()
    yield from inks_and_lab()
    yield from brightness_and_colours()
    yield from big_files()
    yield from other_ranges()
    yield from other_codecs()


def depths() -> Iterator[Kind]:
    """Every depth, in grey (black or white is zero) and RGB, in every layout and byte order."""
    red = scene()[..., 0]
    for (letter, bits), (layout, options), (order, mark) in product(DEPTHS, LAYOUTS.items(), ORDERS.items()):
        for photometric, values in ((BLACK_IS_ZERO, red), (WHITE_IS_ZERO, red), (RGB, scene())):
            if photometric != RGB and layout == "planes":
                continue
            tiff = Tiff(photometric, bits, letter, mark, **options)
            stored = numbers(1 - values if photometric == WHITE_IS_ZERO else values, letter, bits)
            colours = {BLACK_IS_ZERO: "grey", WHITE_IS_ZERO: "negative", RGB: "RGB"}[photometric]
            yield Kind(
                f"TIFF {colours} {letter}{bits} {layout} {order}",
                partial(tiff.file, stored),
                shown(seen_values(values, letter, bits)),
            )


def packings() -> Iterator[Kind]:
    """Every packing, with and without differences, and the bits of a byte from its other end."""
    chosen = [LZW, DEFLATE, OLD_DEFLATE, PACKBITS, LZMA, ZSTD]
    for packing, (letter, bits), (order, mark) in product(chosen, (EIGHT, SIXTEEN, FLOAT), ORDERS.items()):
        # What differences mean before PackBits, nobody says.
        for predictor in (1,) if packing == PACKBITS else (1, 3 if letter == "f" else 2):
            tiff = Tiff(RGB, bits, letter, mark, rows=16, packing=packing, predictor=predictor)
            stored = numbers(scene(), letter, bits)
            yield Kind(
                f"TIFF RGB {letter}{bits} packed by {packing} predictor {predictor} {order}",
                partial(tiff.file, stored),
                shown(scene()),
            )
    for (letter, bits), predictor in ((THIRTY_TWO, 2), (("u", 64), 2), (("f", 16), 3), (("f", 64), 3), (("i", 16), 2)):
        for layout, options in LAYOUTS.items():
            tiff = Tiff(RGB, bits, letter, packing=DEFLATE, predictor=predictor, **options)
            stored = numbers(scene(), letter, bits)
            yield Kind(
                f"TIFF RGB {letter}{bits} deflate predictor {predictor} {layout}",
                partial(tiff.file, stored),
                shown(scene()),
            )
    for bits, packing in product((1, 2, 4, 8), (UNPACKED, LZW)):
        red = scene()[..., 0]
        tiff = Tiff(BLACK_IS_ZERO, bits, fill_order=2, packing=UNPACKED if packing == LZW else packing, rows=16)
        yield Kind(
            f"TIFF grey u{bits} fill order 2 {packing}",
            partial(tiff.file, numbers(red, "u", bits)),
            shown(rounded(red, bits)),
        )


def transparent() -> Iterator[Kind]:
    """A further channel: what it is not, an alpha, and one that is multiplied in already."""
    alpha = opacity()
    depths = (EIGHT, SIXTEEN, THIRTY_TWO, ("f", 16), FLOAT)
    for (letter, bits), extra, planar, (order, mark) in product(depths, (0, 1, 2), (False, True), ORDERS.items()):
        for photometric, values in ((BLACK_IS_ZERO, scene()[..., 0]), (RGB, scene()), (INKS, inks(scene()))):
            channels = values if values.ndim == 3 else values[..., None]
            mixed = channels * alpha[..., None] if extra == 1 else channels
            stored = numbers(np.concatenate([mixed, alpha[..., None]], axis=2), letter, bits)
            tiff = Tiff(photometric, bits, letter, mark, planar=planar, extra=(extra,), rows=20)
            over = alpha if extra else None
            # Over white means fewer inks.
            pixels = ink_pixels(values, over) if photometric == INKS else shown(values, over)
            yield Kind(
                f"TIFF {_COLOURS[photometric]} {letter}{bits} extra {extra} {'planes' if planar else 'mixed'} {order}",
                partial(tiff.file, stored),
                pixels,
                2.0,
            )


_COLOURS = {BLACK_IS_ZERO: "grey", RGB: "RGB", INKS: "CMYK"}


def inks(values: Values) -> Values:
    """Cyan, magenta, yellow and a little black."""
    return np.concatenate([1 - values, np.full((*values.shape[:2], 1), 0.1)], axis=2)


def ink_pixels(values: Values, alpha: Values | None = None) -> Values:
    """What Pillow makes of inks without a profile."""
    covered = values if alpha is None else values * alpha[..., None]
    image = Image.frombytes("CMYK", (SIDE, SIDE), np.round(covered * 255).astype(np.uint8).tobytes())
    return np.asarray(image.convert("RGB")).astype(np.float64)


def palettes() -> Iterator[Kind]:
    """Tables of colours of 16 bits, and of 8 bits as drivers of scanners write them."""
    whole = Image.fromarray(np.round(scene() * 255).astype(np.uint8))
    images = {bits: whole.quantize(min(2**bits, 256)) for bits in (1, 2, 4, 8, 16)}
    for (bits, image), small, (order, mark), (layout, options) in product(
        images.items(), (False, True), ORDERS.items(), LAYOUTS.items()
    ):
        if layout == "planes":
            continue
        table = np.zeros((256, 3), int)
        known = np.array(image.getpalette(), int).reshape(-1, 3)
        table[: len(known)] = known
        entries = np.zeros((2**bits, 3), int)
        entries[:256] = table[: 2**bits]
        colour_map = tuple((entries * (1 if small else 257)).T.reshape(-1).tolist())
        tiff = Tiff(PALETTE, bits, "u", mark, colour_map=colour_map, **options)
        stored = np.asarray(image).astype("u8")
        yield Kind(
            f"TIFF palette u{bits} of {8 if small else 16} bits {layout} {order}",
            partial(tiff.file, stored),
            table[np.asarray(image)].astype(np.float64),
        )


def inks_and_lab() -> Iterator[Kind]:
    """CMYK and Lab of several depths."""
    eight_lab = lab(scene())
    for (order, mark), (layout, options) in product(ORDERS.items(), LAYOUTS.items()):
        for letter, bits in (EIGHT, SIXTEEN, FLOAT):
            tiff = Tiff(INKS, bits, letter, mark, **options)
            yield Kind(
                f"TIFF CMYK {letter}{bits} {layout} {order}",
                partial(tiff.file, numbers(inks(scene()), letter, bits)),
                ink_pixels(inks(scene())),
                2.0,
            )
        for photometric, bits in product((LAB, ICC_LAB), (8, 16)):
            stored = eight_lab.astype("u8")
            if photometric == LAB:
                stored[..., 1:] ^= 0x80
            tiff = Tiff(photometric, bits, "u", mark, **options)
            yield Kind(
                f"TIFF {'Lab' if photometric == LAB else 'ICC Lab'} u{bits} {layout} {order}",
                partial(tiff.file, stored << (bits - 8)),
                shown(scene()),
                4.0,
            )
        tiff = Tiff(LAB, 32, "f", mark, **options)
        stored = eight_lab.astype(np.float64) - [0, 128, 128]
        stored[..., 0] *= 100 / 255
        yield Kind(
            f"TIFF Lab f32 {layout} {order}",
            partial(tiff.file, stored),
            shown(scene()),
            4.0,
        )


def brightness_and_colours() -> Iterator[Kind]:
    """YCbCr that is no JPEG."""
    image = Image.fromarray(np.round(scene() * 255).astype(np.uint8)).convert("YCbCr")
    for packing, big, (order, mark), (layout, options) in product(
        (UNPACKED, LZW, DEFLATE), (False, True), ORDERS.items(), LAYOUTS.items()
    ):
        tiff = Tiff(YCBCR, 8, "u", mark, big=big, packing=packing, more=((530, 3, (1, 1)),), **options)
        yield Kind(
            f"{'Big' if big else ''}TIFF YCbCr packed by {packing} {layout} {order}",
            partial(tiff.file, np.asarray(image)),
            shown(scene()),
            2.0,
        )


def lab(values: Values) -> Samples:
    """The lightness from 0 to 255, both colours with an offset of 128."""
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    image = ImageCms.applyTransform(Image.fromarray(np.round(values * 255).astype(np.uint8)), to_lab)
    assert image is not None
    # Pillow hands both colours out with a sign.
    return np.frombuffer(image.tobytes(), np.uint8).reshape(SIDE, SIDE, 3) ^ np.array([0, 0x80, 0x80], np.uint8)


def big_files() -> Iterator[Kind]:
    """BigTIFF in both byte orders."""
    for (letter, bits), (order, mark), (layout, options) in product(
        (EIGHT, SIXTEEN, FLOAT), ORDERS.items(), LAYOUTS.items()
    ):
        for packing in (UNPACKED, LZW, DEFLATE):
            tiff = Tiff(RGB, bits, letter, mark, big=True, packing=packing, **options)
            yield Kind(
                f"BigTIFF RGB {letter}{bits} packed by {packing} {layout} {order}",
                partial(tiff.file, numbers(scene(), letter, bits)),
                shown(scene()),
            )


def other_ranges() -> Iterator[Kind]:
    """Numbers that do not fill their depth, and how the file says so; highlights beyond white."""
    grey = scene()[..., 0]
    for high in (281, 341):
        tiff = Tiff(BLACK_IS_ZERO, 16, more=((high, 3, (4095,)),))
        yield Kind(
            f"TIFF grey 12 bits in 16 by tag {high}",
            partial(tiff.file, numbers(grey, "u", 12)),
            shown(rounded(grey, 12)),
        )
    for bits, inside in ((32, 8), (32, 16), (64, 16)):
        yield Kind(
            f"TIFF grey u{inside} in {bits} bits",
            partial(Tiff(BLACK_IS_ZERO, bits).file, numbers(grey, "u", inside)),
            shown(rounded(grey, inside)),
        )
    for bits in (8, 16, 32):
        positive = np.round(grey * (2 ** (bits - 1) - 1))
        yield Kind(
            f"TIFF grey i{bits} without a number below 0",
            partial(Tiff(BLACK_IS_ZERO, bits, "i").file, positive.astype("i8")),
            shown(rounded(grey, bits - 1)),
        )
    dark = numbers(grey * 0.02, "u", 16)
    yield Kind("TIFF grey u16 that is dark", partial(Tiff(BLACK_IS_ZERO, 16).file, dark), shown(grey * 0.02))
    for name, odd in (("1.5", 1.5), ("infinite", np.inf), ("no number", np.nan), ("below 0", -0.5)):
        values = grey.astype(np.float32)
        values[0, 0] = odd
        wanted = np.clip(np.nan_to_num(values.astype(np.float64), nan=0, posinf=1), 0, 1)
        yield Kind(
            f"TIFF grey f32 with one {name}",
            partial(Tiff(BLACK_IS_ZERO, 32, "f").file, values),
            shown(wanted),
        )
    for most in (255, 65535):
        yield Kind(
            f"TIFF RGB f32 from 0 to {most}",
            partial(Tiff(RGB, 32, "f").file, scene() * most),
            shown(scene() / scene().max()),
            6.0,
        )
    yield Kind(
        "TIFF grey f32 from -1 to 3 by its tags",
        partial(Tiff(BLACK_IS_ZERO, 32, "f", more=((340, 11, (-1.0,)), (341, 11, (3.0,)))).file, grey * 4 - 1),
        shown(grey),
    )


def other_codecs() -> Iterator[Kind]:
    """Segments that are files of other formats, fax, and what Pillow writes."""
    eight = np.round(scene() * 255).astype(np.uint8)

    def jpeg(segment: Samples) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(segment.astype(np.uint8).squeeze()).save(stream, "JPEG", quality=95, subsampling=0)
        return stream.getvalue()

    def webp(segment: Samples) -> bytes:
        stream = io.BytesIO()
        Image.fromarray(segment.astype(np.uint8)).save(stream, "WEBP", lossless=True)
        return stream.getvalue()

    def jpeg2k(segment: Samples) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(np.ascontiguousarray(segment), level=0))

    def jpeg_xl(segment: Samples) -> bytes:
        return bytes(imagecodecs.jpegxl_encode(np.ascontiguousarray(segment), lossless=True))

    layouts: dict[str, dict[str, Any]] = {"one strip": {}, "strips": {"rows": 16}, "tiles": {"tiled": True, "rows": 32}}
    for layout, options in layouts.items():
        for big, (order, mark) in product((False, True), ORDERS.items()):
            name = f"{'Big' if big else ''}TIFF {layout} {order}"
            for packing, packer in ((7, jpeg), (WEBP, webp)):
                tiff = Tiff(YCBCR if packing == 7 else RGB, 8, "u", mark, big=big, packing=packing, **options)
                yield Kind(
                    f"{name} of {'JPEG' if packing == 7 else 'WebP'}",
                    partial(tiff.file, eight, packer),
                    shown(scene()),
                    4.0,
                )
            tiff = Tiff(BLACK_IS_ZERO, 8, "u", mark, big=big, packing=7, **options)
            yield Kind(f"{name} of grey JPEG", partial(tiff.file, eight[..., 0], jpeg), shown(scene()[..., 0]), 4.0)
            for packing, encode in ((34712, jpeg2k), (50002, jpeg_xl)):
                tiff = Tiff(RGB, 8, "u", mark, big=big, packing=packing, **options)
                yield Kind(
                    f"{name} packed by {packing}",
                    partial(tiff.file, eight, encode),
                    shown(scene()),
                    4.0,
                )
    bilevel = Image.fromarray(np.round(scene()[..., 0] * 255).astype(np.uint8)).point(
        lambda value: 255 * (value > 128), "1"
    )
    for name in ("group3", "group4", "tiff_ccitt"):
        yield Kind(
            f"TIFF {name}",
            partial(_by_pillow, bilevel, name),
            shown(np.asarray(bilevel).astype(float)),
        )
    whole = Image.fromarray(eight)
    for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"):
        for mode in ("RGB", "L", "CMYK"):
            wanted = np.asarray(whole.convert(mode).convert("RGB")).astype(np.float64)
            yield Kind(
                f"TIFF {mode} by Pillow {name}",
                partial(_by_pillow, whole.convert(mode), name),
                wanted,
                4.0,
            )


def _by_pillow(image: Image.Image, packing: str) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "TIFF", compression=packing)
    return stream.getvalue()
