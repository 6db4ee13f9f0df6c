"""How the numbers of a TIFF lie in its file, by its tags: whether Pillow reads them right, or whether nothing does."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pictures.codecs.samples import SampleKind, fixed_span

if TYPE_CHECKING:
    from tifffile import TiffPage

# Values of PhotometricInterpretation (TIFF 6.0): the name, and how many channels are the colour.
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR, LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, INKS: 4, YCBCR: 3, LAB: 3, ICC_LAB: 3}
_NAMES = {
    0: "grey", 1: "grey", 2: "RGB", 3: "palette", 4: "mask", 5: "inks", 6: "YCbCr", 8: "Lab", 9: "Lab", 10: "ITU Lab",
}  # fmt: skip
_LETTERS = {1: "u", 2: "i", 3: "f", 4: "u"}
_KINDS = {"u": "unsigned", "i": "signed", "f": "float"}
_UNPACKED, _FAX, _OLD_JPEG, _JPEG, _THUNDERSCAN = 1, (2, 3, 4), 6, 7, 32809
# What nobody else unpacks, and what Pillow unpacks as well as anybody: LZW, Deflate by both numbers, PackBits.
_BY_PILLOW_ALONE = {*_FAX, _OLD_JPEG, _THUNDERSCAN}
_BY_PILLOW = {_UNPACKED, 5, _JPEG, 8, 32773, 32946}
_ALPHA = {1: True, 2: False, 999: False}  # ExtraSamples -> premultiplied; 999 is Corel's
_MOST_CHANNELS = 32
_SUBSAMPLING = 530
_SAMPLE_LIMITS = ((340, 341), (280, 281))


@dataclass(frozen=True)
class Layout:
    """What the tags of a directory say.

    `channels` are those that are looked at, first the `colours`, then the one that is the alpha, if any.
    `premultiplied` is None where there is no alpha, or where nobody says that the last channel is one
    (`guessed_alpha`). `problem` is why nothing reads it, "" otherwise.
    """

    width: int
    height: int
    photometric: int
    compression: int
    kind: SampleKind
    samples: int
    colours: int
    channels: list[int]
    premultiplied: bool | None
    guessed_alpha: bool
    extra: tuple[int, ...]
    is_planar: bool
    is_subsampled: bool
    dtype: Any
    small_colours: bool
    words: str
    problem: str

    @property
    def is_palette(self) -> bool:
        """True where the numbers are places in a table of colours."""
        return self.photometric == PALETTE

    @property
    def fixed_span(self) -> tuple[float, float] | None:
        """The numbers that are black and white, where they do not depend on the picture."""
        return None if self.is_palette or self.is_lab else fixed_span(self.kind)

    @property
    def is_of_triples(self) -> bool:
        """True for whole numbers of 24 bits."""
        return self.kind.bits == 24 and self.kind.letter == "u"

    @property
    def is_unconverted_ycbcr(self) -> bool:
        """True where the numbers are those of YCbCr still; what unpacks JPEG makes RGB of them."""
        return self.photometric == YCBCR and self.compression != _JPEG

    @property
    def is_lab(self) -> bool:
        """True for CIE Lab and for ICC Lab."""
        return self.photometric in (LAB, ICC_LAB)

    @property
    def bytes_a_pixel(self) -> int:
        """What a decoded pixel takes in memory, with the channels that are not looked at."""
        return self.samples * max(1, -(-self.kind.bits // 8))


def layout_of(page: "TiffPage") -> Layout:
    """Read the tags of a directory."""
    photometric, compression = int(page.photometric or 0), int(page.compression)
    letter = _LETTERS.get(int(page.sampleformat or 1), "")
    bits = page.bitspersample if isinstance(page.bitspersample, int) else 0
    samples = int(page.samplesperpixel)
    colours = _COLOURS.get(photometric, 0)
    extra = tuple(int(value) for value in page.extrasamples)
    guessed = not extra and samples == colours + 1 and photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB)
    alphas = [place for place, value in enumerate(extra[: samples - colours]) if value in _ALPHA]
    channels = list(range(colours))
    if guessed:
        channels.append(colours)
    elif alphas:
        channels.append(colours + alphas[0])
    words = [_NAMES.get(photometric, f"colours of kind {photometric}")]
    words.append(f"{_KINDS.get(letter, 'complex')}, {bits or page.bitspersample} bits")
    if compression != _UNPACKED:
        words.append(f"packed by {getattr(page.compression, 'name', f'method {compression}')}")
    problem = ", ".join(words) if not letter or page.dtype is None or not colours or samples < colours else ""
    if samples > _MOST_CHANNELS:
        problem = f"{samples} channels"
    is_odd_lab = photometric in (LAB, ICC_LAB) and letter != "f" and bits not in (8, 16)
    if int(page.predictor) != 1 and bits not in (8, 16, 32, 64):
        problem = ", ".join([*words, "differences"])
    # Subsampled colours lie in blocks, which libtiff takes apart in packed files, and JPEG itself.
    subsampled = photometric == YCBCR and page.tags.valueof(_SUBSAMPLING) not in (None, (1, 1))
    if photometric == YCBCR and compression != _JPEG and (subsampled or bits != 8):
        words.append("subsampled" if subsampled else "no JPEG")
        problem = ", ".join(words)
    if is_odd_lab:
        problem = ", ".join(words)
    return Layout(
        page.imagewidth, page.imagelength, photometric, compression,
        SampleKind(letter or "u", bits, _declared(page)), samples, colours, channels,
        _ALPHA[extra[alphas[0]]] if alphas else None, guessed, extra,
        int(page.planarconfig or 1) == 2 and samples > 1, subsampled, page.dtype,
        photometric == PALETTE and page.colormap is not None and int(page.colormap.max()) < 256,
        ", ".join(words), problem,
    )  # fmt: skip


def reads_right(layout: Layout, magic: bytes) -> bool:
    """True for a layout that Pillow reads, and reads right: whole bytes without a sign, or less in one channel."""
    if magic == b"MM\0+":
        return False
    if layout.compression in _BY_PILLOW_ALONE:
        return True
    if layout.compression not in _BY_PILLOW or layout.is_planar or layout.kind.letter != "u":
        return False
    if layout.photometric == PALETTE:
        return layout.kind.bits in (1, 2, 4, 8) and layout.samples == 1 and not layout.small_colours
    if layout.kind.bits in (1, 2, 4):
        return layout.photometric in (WHITE_IS_ZERO, BLACK_IS_ZERO) and layout.samples == 1
    if layout.kind.bits != 8 or (layout.is_subsampled and layout.compression == _UNPACKED):
        return False
    plain = layout.samples == layout.colours and layout.photometric in (0, 1, RGB, INKS, YCBCR, LAB)
    return plain or (layout.photometric == RGB and layout.samples == 4 and layout.extra in ((0,), (2,)))


def _declared(page: "TiffPage") -> tuple[float, float] | None:
    """The smallest and the largest number that the file names; 280 and 281 are the older tags, for integers."""
    for low_tag, high_tag in _SAMPLE_LIMITS:
        low, high = (page.tags.valueof(tag) for tag in (low_tag, high_tag))
        low = min(low) if isinstance(low, tuple) else low
        high = max(high) if isinstance(high, tuple) else high
        if isinstance(high, int | float):
            smallest = float(low) if isinstance(low, int | float) else 0.0
            if smallest < float(high) < float("inf"):
                return smallest, float(high)
    return None
